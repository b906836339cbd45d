"""The benchmarks of UDC (udc_gaussians, udc_study, udc_folder, udc_rivals, udc_speed) on the smallest of settings."""

import json
import sys
import warnings
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from coterie.evidence.datasets import Dataset
from methods.patterns import patterns
from scripts import load_script

Rows = list[dict[str, Any]]
IMAGES, CLASSES = patterns(each=40, noise=20)


def rows_of(name: str, out: Path, *words: str) -> Rows:
    """What benchmarks/NAME.py wrote to ``out``, called with ``words``; the sets it reads are some patterns."""
    script = load_script(name)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so little training deserves every warning there is
        patch.setattr(sys, "argv", [f"{name}.py", "--out", str(out), *words])
        if hasattr(script, "load"):
            patch.setattr(script, "load", lambda *given: Dataset("patterns", IMAGES[:, None], CLASSES, 3, "made here"))
        script.main()
    rows: Rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    return rows


def test_gaussians_have_a_row_for_each_number_of_noises_with_every_seed(tmp_path: Path) -> None:
    tiny = ("--seeds", "2", "--iterations", "2", "--batch-size", "4", "--hidden", "5")
    rows = rows_of("udc_gaussians", tmp_path / "g.json", "--noises", "0,3", *tiny)
    assert [row["n_noise"] for row in rows] == [0, 3]
    for row in rows:
        assert [record["iteration"] for record in row["history"]] == [1, 2]
        assert len(row["acc"]) == len(row["drifting"]) == len(row["wasserstein"]) == 2
        assert row["acc_spread"]["min"] == min(row["acc"]) <= row["acc_spread"]["max"] == max(row["acc"])
        assert len(row["plane"]["critic"]) == len(row["plane"]["cluster"]) == row["plane"]["side"] ** 2
    assert len(rows_of("udc_gaussians", tmp_path / "g.json", "--noises", "1", *tiny)) == 3


def test_a_study_scores_every_run_as_it_ended_and_as_it_was_chosen(tmp_path: Path) -> None:
    settings = ("n_runs=2", "iterations=4", "every=1", "width=2", "batch_size=4", "n_noise=2", "device=cpu")
    words = [word for setting in settings for word in ("--set", setting)]
    (row,) = rows_of("udc_study", tmp_path / "runs.json", "patterns", *words)
    assert (row["n"], row["shape"], row["parameters"]["n_runs"]) == (120, [1, 12, 12], 2)
    for when in ("at_the_end", "selected"):
        told = row[when]
        assert [run["run"] for run in told["runs"]] == [1, 2]
        assert told["chosen"].items() <= told["runs"][told["chosen_run"] - 1].items()
        for score in ("acc", "nmi", "ari", "legacy_purity", "legacy_nmi", "legacy_ari"):
            values = [run[score] for run in told["runs"]]
            assert (told["spread"][score]["min"], told["spread"][score]["max"]) == (min(values), max(values))
    assert {run["iteration"] for run in row["at_the_end"]["runs"]} == {4}


def test_a_folder_is_grouped_by_the_command_and_a_whole_run_is_only_read(tmp_path: Path) -> None:
    words = ("patterns", "--size", "12", "--work", str(tmp_path / "work"), "--", "--map", "pca", "--batch-size", "6",
             "--set", "iterations=2", "--set", "n_runs=2", "--set", "width=2", "--set", "n_noise=2")  # fmt: skip
    (row,) = rows_of("udc_folder", tmp_path / "folder.json", *words)
    assert (row["n"], row["shape"], row["parameters"]["iterations"]) == (120, [1, 12, 12], 2)
    assert row["asked"].startswith("coterie cluster images -k 3 --method udc --classes classes.csv --map pca ")
    assert {"head", "linkage"} < row["answers"].keys()
    assert row["answers"][row["chosen"]] == {score: row[score] for score in ("acc", "nmi", "ari")}
    written = (tmp_path / "work/run/run.json").stat().st_mtime_ns
    assert rows_of("udc_folder", tmp_path / "folder.json", *words) == [row]
    assert (tmp_path / "work/run/run.json").stat().st_mtime_ns == written
    with pytest.raises(SystemExit, match=r"was begun with .* give another --work"):
        rows_of("udc_folder", tmp_path / "folder.json", *words[:-1], "n_noise=3")


def test_rivals_are_measured_once_and_those_that_refuse_have_no_row(tmp_path: Path) -> None:
    words = ("--methods", "kmeans", "dccm", "--size", "12", "--device", "cpu", "--work", str(tmp_path / "work"))
    script, out = load_script("udc_rivals"), tmp_path / "rivals.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(script.METHODS, "dccm", {"epochs": 0})  # which no method takes
        (row,) = rows_of("udc_rivals", out, *words)
    assert (row["method"], row["size"], row["k"], row["epochs"]) == ("kmeans", 12, 3, None)
    assert row["answers"]["labels"]["acc"] == 1
    assert rows_of("udc_rivals", out, "--methods", "kmeans", "--size", "12") == [row]


def test_speed_has_every_plan_with_the_ceilings_of_its_command(tmp_path: Path) -> None:
    tiny = ("--width", "2", "--batch-size", "4", "--n-noise", "2", "--runs", "2", "--seconds", "0.001")
    rows = rows_of("udc_speed", tmp_path / "speed.json", "--shape", "1,8,8", *tiny)
    assert [(row["plan"], row["runs"]) for row in rows] == [
        ("line by line", 1), ("fused", 1), ("fused, one critic batch", 1), ("fused", 2), ("fused, one critic batch", 2),
    ]  # fmt: skip
    for row in rows:
        assert row["shape"] == "1,8,8"
        assert row["run_iterations_per_second"] == pytest.approx(
            row["runs"] / row["seconds_per_iteration"], rel=0.05, abs=0.006
        )
        assert row["gemm_gflops"] > 0
        assert row["layer_gflops"] > 0
    assert len({(row["gemm_gflops"], row["layer_gflops"]) for row in rows}) == 1


def test_the_cost_model_and_the_ceiling_count_the_multiplications_of_udc_md() -> None:
    """Section 5: 23.46 M in D for 28 x 28, of which 13.107 M in its third convolution; 2,087 M an iteration at ORL."""
    script, cpu = load_script("udc_speed"), torch.device("cpu")
    mnist = Namespace(shape=(1, 28, 28), width=64, k=10, n_noise=128, batch_size=1)
    assert sum(layer.multiplications for layer in script.convolutions((1, 28, 28), 64)) == 23_456_000
    step, work = script.largest_layer(mnist, cpu)
    assert (work, tuple(step().shape)) == (13_107_200, (1, 256, 4, 4))
    assert script.multiplications(mnist) == pytest.approx(1837e6, rel=0.01)
    points = Namespace(shape=(2,), width=64, k=8, n_noise=3, batch_size=5)
    step, work = script.largest_layer(points, cpu)
    assert (work, tuple(step().shape)) == (5 * 512**2, (5, 512))
