"""Rows of the studies in docs/results as records for ``evidence.measured``: the seeds of one setting are one record."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from coterie.evidence.recipe import SCORES

Row = Mapping[str, Any]
Short = dict[str, Any]
# Of the images as the studies have them; height x width (x channels).
SIZES = {
    "mnist": "28 x 28", "mnist-test": "28 x 28", "fashion-mnist-test": "28 x 28", "cifar-10-5000": "32 x 32 x 3",
    "cmu-pie": "32 x 32", "coil-20": "32 x 32", "usps-11k": "16 x 16", "usps": "16 x 16", "orl": "112 x 92",
    "usps-700": "8 x 8",  # as its recipe has it
    "orl-32": "32 x 32", "digits": "8 x 8", "cifar-10": "32 x 32 x 3", "tiny-imagenet-10": "64 x 64 x 3",
}  # fmt: skip
PIXELS = "pixels"  # of coterie: without their mean image
UNIT = "pixels with their mean image"
INPUTS = {"unit": UNIT, "centred": PIXELS, "pixels": PIXELS, "raw": "pixels from 0 to 1"}
CLUSTERERS = {"ac-gdl": "gdl, as published", "average": "ac-link"}  # of the study -> as the other studies say
NOT_RANDOM = {"gdl", "ac-link", "ac-ward", "ac-zell", "ac-pic", "ward"}
USUAL = {"split": "all", "unlabelled": "none", "nmi": "geometric"}
LAST = ("command", "commit", "date")  # of several seeds the last row's


def read_studies(folder: Path) -> list[Short]:
    """The records of every study in ``folder``, docs/results, one for each setting."""
    found = []
    for name, (records_of, about) in STUDIES.items():
        rows = json.loads((folder / name).read_text(encoding="utf-8"))["rows"]
        merged = _merged(record for row in rows for record in records_of(row))
        found += [{"table": name, "description": about, **USUAL, **record} for record in merged]
    return found


def random_method(label: str, given: str) -> bool:
    """Whether another seed gives another answer: of the method called ``label``, on what is ``given`` to it."""
    return label.partition(",")[0] not in NOT_RANDOM or given.startswith("embedding")


def spread(values: list[float]) -> list[float]:
    """Median, lowest and highest."""
    return [median(values), min(values), max(values)]


def _merged(records: Iterator[Short]) -> list[Short]:
    """Records that differ in nothing but their runs and where they come from as one; scores are spreads of the runs."""
    alike: dict[str, Short] = {}
    for record in records:
        setting = {name: value for name, value in record.items() if name not in (*LAST, "runs")}
        key = json.dumps(setting, sort_keys=True)
        runs = [*alike[key]["runs"], *record["runs"]] if key in alike else record["runs"]
        alike[key] = record | {"runs": runs}
    return [_scored(record) for record in alike.values()]


def _scored(record: Short) -> Short:
    names = record.get("names", SCORES)
    runs = record["runs"]
    scores = {name: spread([run[i] for run in runs]) for i, name in enumerate(names)}
    rest = {name: value for name, value in record.items() if name not in ("names", "runs")}
    # a triple can be checked, another score by itself cannot
    return rest | {"scores": scores, "n_runs": len(runs), "runs": runs if names == SCORES else []}


def _record(row: Row, label: str, given: str, runs: list[list[float]], **more: Any) -> Short:
    return {
        "set": row["set"], "method": label, "size": more.pop("size", None) or SIZES[row["set"]], "input": given,
        "random": random_method(label, given), "command": row["command"], "commit": row["commit"], "date": row["date"],
        "runs": runs, **more,
    }  # fmt: skip


def _triple(scores: Row) -> list[list[float]]:
    return [[scores[name] for name in SCORES]]


def _classical(row: Row) -> Iterator[Short]:
    how = row["method"].partition(", ")[2] or ("as published" if row["settings"] else "")
    label = f"{row['name']}, {how}" if how else row["name"]
    yield _record(row, label, INPUTS[row["features"]], _triple(row), n_classes=row["k"])


def _handcrafted(row: Row) -> Iterator[Short]:
    given = INPUTS.get(row["features"]) or str(row["features"])
    yield _record(row, row["method"], given, _triple(row), n_classes=row["k"])


def _clusterers(row: Row) -> Iterator[Short]:
    given = UNIT if row["features"] == "pixels" else f"embedding of {row['recipe']}"
    label = CLUSTERERS.get(row["clusterer"]) or str(row["clusterer"])
    yield _record(row, label, given, _triple(row), n_classes=row["k"])


# That tell trainings apart, and what goes unsaid.
UDC_SETTINGS = {"eta": "auto", "noise_scale": 1.0, "class_noise": 0.0, "beside": 0, "iterations": None}


def _udc_runs(row: Row) -> Iterator[Short]:
    yield _udc(row, [triple for run in row["selected"]["runs"] for triple in _triple(run)])


def _udc_folder(row: Row) -> Iterator[Short]:
    yield _udc(row, _triple(row))


def _udc(row: Row, runs: list[list[float]]) -> Short:
    settings = {name: value for name, value in row["parameters"].items() if name in UDC_SETTINGS}
    told = [f"{name}={value}" for name, value in settings.items() if value != UDC_SETTINGS[name]]
    size, k = " x ".join(map(str, row["shape"][1:])), row["parameters"]["n_clusters"]
    return _record(row, ", ".join(["udc", *told]), "pixels", runs, size=size, n_classes=k, nmi="arithmetic")


def _udc_rivals(row: Row) -> Iterator[Short]:
    scores = row["answers"][row["chosen"]]
    yield _record(
        row, row["method"], PIXELS, _triple(scores), size=f"{row['size']} x {row['size']}", n_classes=row["k"]
    )


def _probe(row: Row) -> Iterator[Short]:
    given, method = row["features"], row["features"].partition("-")[0]
    label = "probe" if given == "pixels" else f"{method}, probe"
    yield _record(  # the images that are scored were learned from too, without classes
        row, label, given if given == "pixels" else f"embedding of {given}", [[row["accuracy"]]],
        names=["classification"], n_classes=None, split="train, then test", unlabelled="used",
    )  # fmt: skip


STUDIES: dict[str, tuple[Callable[[Row], Iterator[Short]], str]] = {
    "classical.json": (_classical, "the rivals as JULE's authors uploaded them"),
    "handcrafted.json": (_handcrafted, "defaults, on pixels and hand-crafted features"),
    "jule/clusterers.json": (_clusterers, "other clusterers on pixels and on what JULE learned"),
    "udc/runs.json": (_udc_runs, "a small UDC; over the runs of one training"),
    "udc/folder.json": (_udc_folder, "UDC from a folder of files; the answer chosen from several trainings"),
    "udc/rivals.json": (_udc_rivals, "defaults beside a small UDC; deep methods for 8 epochs"),
    "probe.json": (_probe, "a small network learns the classes from features that stay"),
}
