"""`coterie published` and `coterie check-triple`."""

import csv
import io
import re
from pathlib import Path

import pytest

from cli.runner import run_here

RESULTS = Path(__file__).parents[2] / "docs/results/recipes"


def table_of(*arguments: object) -> list[dict[str, str]]:
    done = run_here("published", *arguments, "--csv")
    assert done.code == 0, done.err
    return list(csv.DictReader(io.StringIO(done.out)))


def test_the_sets_that_have_figures_are_listed() -> None:
    done = run_here("published", "--list")
    assert done.code == 0
    lines = done.out.splitlines()
    assert next(line for line in lines if line.startswith("cmu-pie: CMU-PIE faces, 68 persons; "))
    assert not any(line.startswith("usps-1500") for line in lines)
    digits = next(line for line in lines if line.startswith("digits: "))
    assert re.search(r"; 0 published, [1-9]\d* measured", digits), digits


def test_published_figures_stand_beside_ours_with_their_protocols() -> None:
    done = run_here("published", "usps-11k")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "USPS, 1,100 of each digit (the USPS of JULE) (11,000 images, 10 classes, equal in size)"
    ours = next(line for line in lines if "coterie reproduce jule-usps-11k" in line)
    theirs = next(line for line in lines if "JULE-RC" in line and "Table 2" in line)
    assert ours[0] != theirs[0]
    assert ".950" in theirs
    assert any(line.startswith(f"{theirs[0]}  JULE: learned and scored on all images; pixels of ") for line in lines)
    assert lines[-1] == "other images of this kind: usps, usps-700"


def test_the_csv_has_everything_that_is_known() -> None:
    rows = table_of("mnist", "--method", "udc")
    (row,) = rows
    assert (row["acc"], row["acc_min"], row["acc_max"]) == ("0.958", "0.915", "0.984")
    assert (row["measured"], row["split"], row["runs"], row["nmi_mean"]) == (
        "no",
        "train, then test",
        "10",
        "per batch",
    )
    assert row["flags"] == "legacy metric"
    assert "ARI 0.951 is too low" in row["impossible"]
    assert row["reference"].startswith("Y. Gan")


def test_ours_are_marked_in_the_csv_with_their_command() -> None:
    ours = [row for row in table_of("cmu-pie") if row["measured"] == "yes"]
    assert ours
    assert all(row["command"].startswith(("coterie reproduce ", "python benchmarks/")) for row in ours)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d, commit [0-9a-f]{7}\+?", row["where"]) for row in ours)
    assert {row["table"] for row in ours} == {"jule-cmu-pie", "classical.json"}
    assert {row["measured"] for row in table_of("cifar-100-20")} == {"no"}


def test_a_published_figure_says_whether_its_difference_from_ours_means_anything() -> None:
    rows = table_of("cmu-pie", "--method", "AC-GDL")
    ours = [row for row in rows if row["measured"] == "yes"]
    assert {(row["method"], row["acc"]) for row in ours} == {
        ("gdl, as published", "0.8421"),
        ("gdl, as published", "0.3845"),
    }
    assert {row["against_ours"] for row in ours} == {""}
    theirs = next(row for row in rows if row["acc"] == "0.842")
    assert theirs["against_ours"] == (
        "the same, .842 (gdl, as published, pixels with their mean image, classical.json); "
        "differs, .385 (gdl, as published, pixels, classical.json)"
    )
    lines = run_here("published", "cmu-pie", "--method", "AC-GDL").out.splitlines()
    with_mean, without = (next(line for line in lines if f" {acc} " in line)[0] for acc in (".842", ".385"))
    assert any(f"the same, .842 ({with_mean}); differs, .385 ({without})" in line for line in lines)
    assert sum("python benchmarks/classical_rows.py" in line and "commit" in line for line in lines) == 2


def test_the_name_of_a_set_may_be_written_large() -> None:
    assert run_here("published", "ORL").out == run_here("published", "orl").out


def test_summaries_of_ones_own_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text((RESULTS / "kmeans-digits.json").read_text())
    (row,) = table_of("digits", "--results", tmp_path)
    assert row["method"] == "kmeans"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "SET is missing"),
        (["cifar"], "`coterie published --list` names the sets"),
        (["mnist", "--method", "resnet"], "there are"),
        (["usps-900"], "uniformity index .998); `coterie published --list`"),
        (["--list", "mnist"], "--list shows all sets; leave out SET, --method and --csv"),
        (["mnist", "--results", "nowhere"], "holds no summary"),
    ],
)
def test_what_cannot_be_shown_is_told_in_a_sentence(arguments: list[str], told: str) -> None:
    done = run_here("published", *arguments)
    assert done.code != 0
    assert told in done.error


def test_an_impossible_triple_is_told_and_ends_with_one() -> None:
    done = run_here("check-triple", "--acc", ".984", "--nmi", ".978", "--ari", ".951", "-k", "10")
    assert done.code == 1
    first, second = done.out.splitlines()
    assert first.startswith("with an ACC of exactly .984 and 10 balanced classes: ARI 0.9635 to ")
    assert second == "impossible: ARI 0.951 is too low: with ACC 0.984 and 10 balanced classes it is at least 0.9624."
    assert done.err == ""


def test_a_possible_triple_ends_with_zero_and_promises_no_more() -> None:
    done = run_here("check-triple", "--acc", ".981", "--ari", ".957", "-k", "10", "-n", "700")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "possible: no bound is broken, rounding included"


def test_the_rounding_is_that_of_the_digits_given() -> None:
    assert run_here("check-triple", "--acc", ".98", "--ari", ".95", "-k", "10").code == 0
    assert run_here("check-triple", "--acc", ".9800", "--ari", ".9500", "-k", "10").code == 1
    assert run_here("check-triple", "--acc", ".984", "--nmi", ".98", "--ari", ".951", "-k", "10").code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--acc", "98.4", "-k", "10"], "must be a share of at most 1"),
        (["--acc", "high", "-k", "10"], "--acc is 'high'; expected a share such as .984"),
        (["--acc", ".9", "-k", "1"], "-k is 1; expected at least 2 classes"),
        (["--acc", "nan", "-k", "3"], "must be a share"),
        (["--acc", ".9", "-k", "10", "-n", "1"], "n_per_class must be at least 2"),
    ],
)
def test_scores_that_are_none_are_refused(arguments: list[str], told: str) -> None:
    done = run_here("check-triple", *arguments)
    assert done.code != 0
    assert told in done.error


def test_an_acc_below_one_share_is_impossible() -> None:
    done = run_here("check-triple", "--acc", ".05", "-k", "10")
    assert done.code == 1
    assert done.out == "impossible: ACC 0.05 is below 1/10, which the best naming always reaches.\n"
