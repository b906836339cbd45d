"""`coterie reproduce`: a recipe run through the real entry point, run again, and asked for what cannot be."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done, run_process, snapshot

Command = Callable[..., Done]


def test_a_recipe_gives_records_a_summary_and_a_table(coterie: Command) -> None:
    done = coterie("reproduce", "gdl-digits", "--seeds", "2")
    assert done.code == 0, done.err
    assert "note: gdl has nothing random in it, so it runs once, whatever the seeds\n" in done.err
    lines = done.out.splitlines()
    assert lines[0] == "gdl-digits: Graph degree linkage, its defaults, on scikit-learn's 1,797 digits; needs no files."
    assert lines[1].startswith("the one run: ACC 0.8")
    assert lines[2].split() == ["answer", "score", "n", "min", "median", "max", "mean", "sd"]
    assert [line.split()[:3] for line in lines[3:5]] == [["labels", "*", "ACC"], ["NMI", "1", lines[4].split()[2]]]
    assert lines[6] == "* the method's only answer, found without labels"
    assert lines[-1] == f"the records are in {Path('reproduced/gdl-digits')}"
    summary = json.loads(Path("reproduced/gdl-digits/summary.json").read_text())
    assert summary["seeds"] == [None]
    assert summary["answers"]["labels"]["acc"]["median"] > 0.85


def test_the_second_time_nothing_runs_and_the_table_is_the_same(coterie: Command) -> None:
    first = coterie("reproduce", "kmeans-digits", "--seeds", "2", "--out", "mine")
    assert first.code == 0, first.err
    records = {name: state for name, state in snapshot(Path("mine")).items() if name.startswith("seed-")}
    again = coterie("reproduce", "kmeans-digits", "--seeds", "2", "--out", "mine")
    assert [line.endswith(", was done") for line in again.out.splitlines()[1:3]] == [True, True]
    assert again.out.splitlines()[3:] == first.out.splitlines()[3:]
    assert {name: state for name, state in snapshot(Path("mine")).items() if name.startswith("seed-")} == records


def test_the_same_seed_gives_the_same_scores_in_another_process(coterie: Command, tmp_path: Path) -> None:
    assert coterie("reproduce", "kmeans-digits", "--seeds", "0,3", "--out", "here").code == 0
    there = run_process("reproduce", "kmeans-digits", "--seeds", "0,3", "--out", "there", cwd=tmp_path)
    assert there.code == 0, there.err
    for seed in (0, 3):
        one, other = (json.loads(Path(where, f"seed-{seed}.json").read_text()) for where in ("here", "there"))
        assert one["scores"] == other["scores"]


def test_a_changed_recipe_is_refused_where_the_old_one_ran(coterie: Command) -> None:
    assert coterie("reproduce", write_recipe(n_init=2), "--seeds", "1", "--out", "mine").code == 0
    done = coterie("reproduce", write_recipe(n_init=3), "--seeds", "1", "--out", "mine")
    assert (done.code, done.error) == (
        2,
        "mine holds seeds of mine with other settings (method.parameters.n_init was 2 and is now 3): "
        "give --out another folder, or delete that one",
    )


def test_the_summary_is_also_written_where_it_was_asked_for(coterie: Command, tmp_path: Path) -> None:
    done = coterie("reproduce", "kmeans-digits", "--seeds", "1", "--summary", "results/kmeans-digits.json")
    assert done.code == 0, done.err
    copy = Path("results/kmeans-digits.json").read_text()
    assert copy == Path("reproduced/kmeans-digits/summary.json").read_text()
    assert str(tmp_path) not in copy
    assert str(Path.home()) not in copy


def test_a_summary_that_cannot_be_written_stops_before_any_work(coterie: Command) -> None:
    Path("file").write_text("")
    done = coterie("reproduce", "kmeans-digits", "--summary", "file/summary.json")
    assert (done.code, "part of its path, is a file" in done.error) == (1, True)
    assert not Path("reproduced").exists()


def test_the_list_has_every_recipe_with_what_was_published(coterie: Command) -> None:
    from coterie.evidence.recipe import shipped_recipes

    done = coterie("reproduce", "--list")
    assert (done.code, done.err) == (0, "")
    named = [line.split(":")[0] for line in done.out.splitlines() if not line.startswith(" ")]
    assert named == sorted(shipped_recipes())
    assert "    published: ACC 0.933, NMI 0.864 (gacluster (Zhang), GDL with K = 20 on pixels)" in done.out


def test_the_folder_of_the_sets_is_an_option_or_in_the_environment(
    coterie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COTERIE_DATA", raising=False)
    for folder, arguments in (("data", ()), ("mine", ("--data", "mine"))):
        done = coterie("reproduce", "gdl-mnist-test", *arguments)
        assert done.code == 2
        assert f"the set mnist-test is not in {folder}: expected there mnist.npz" in done.err
    monkeypatch.setenv("COTERIE_DATA", "elsewhere")
    assert "is not in elsewhere" in coterie("reproduce", "gdl-mnist-test").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "RECIPE is missing; `coterie reproduce --list` shows those that come with coterie"),
        (("no-such-recipe",), "no-such-recipe is neither a recipe that comes with coterie ("),
        (("kmeans-digits", "--seeds", "0"), "--seeds '0' says neither how many nor which; give a number such as 3"),
        (("kmeans-digits", "--seeds", "all"), "--seeds 'all' says neither how many nor which"),
        (("kmeans-digits", "--seeds", "1,1"), "--seeds is [1, 1]; expected different whole numbers"),
        (
            ("kmeans-digits", "--epochs", "2"),
            "--epochs: the method kmeans of kmeans-digits has no epochs; leave it out",
        ),
        (("kmeans-digits", "--device", "tpu"), "tpu"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(
    coterie: Command, arguments: tuple[str, ...], words: str
) -> None:
    done = coterie("reproduce", *arguments)
    assert done.code == 2
    assert words in done.error
    assert list(Path().iterdir()) == []


def write_recipe(n_init: int) -> Path:
    path = Path("mine.toml")
    path.write_text(
        '[recipe]\nname = "mine"\ndescription = "Mine."\nprotocol = "All."\n[data]\nset = "digits"\n'
        f'[method]\nname = "kmeans"\n[method.parameters]\nfeatures = "pixels"\nn_init = {n_init}\n'
    )
    return path


def test_a_method_with_several_answers_says_how_often_it_chose_which() -> None:
    from coterie.cli.reproduce import _selection

    summary = {"answers": {"rc": {}, "sf": {}}, "chosen": {"rc": 2, "sf": 1}, "runs": [{}, {}, {}]}
    assert _selection(summary) == "chosen by the method itself, without labels: rc in 2, sf in 1 of 3"
