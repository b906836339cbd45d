"""What the studies of the methods share: rows that are kept one by one, trained ones, embeddings of a run, parts."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from provenance import provenance

from coterie.evidence.datasets import Dataset, load
from coterie.evidence.protocol import Circumstances, run_once
from coterie.evidence.recipe import Recipe
from coterie.evidence.reproduce import records_in
from coterie.files.atomic import write_text

Row = dict[str, Any]
N_TRAIN = {"usps": 7291, "mnist": 60_000, "fashion-mnist": 60_000, "cifar-10": 50_000, "cifar-10-5000": 4000}
TRAIN_SHARE = 0.8  # of sets that come in one part


def read_rows(path: Path) -> list[Row]:
    """The rows that a study has so far."""
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def missing(wanted: Iterable[Row], rows: list[Row]) -> Iterator[Row]:
    """The settings of ``wanted`` that no row has; a row may say more than its setting."""
    for setting in wanted:
        if not any(all(row.get(name) == value for name, value in setting.items()) for row in rows):
            yield setting


def keep(path: Path, rows: list[Row]) -> None:
    """Writes all rows, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    write_text(path, f'{{"rows": [\n{lines}\n]}}\n')


def origins(rows: Iterable[Row]) -> list[str]:
    """A line of a page for each command that measured some of ``rows``, in their order."""
    said = (f"- `{row['command']}`, commit {row['commit']}, {row['date']}, {row['machine']}" for row in rows)
    return list(dict.fromkeys(said))


def rounded(scores: dict[str, float]) -> Row:
    """n_clusters, acc, nmi and ari with four digits after the point."""
    return {name: round(value, 4) for name, value in scores.items()}


def trained_row(recipe: Recipe, data: Dataset, seed: int, work: Path, device: str) -> Row:
    """The row of one training, whose checkpoints lie in the folder ``work`` until it is there; epochs are None where a
    method has none.
    """
    record, _ = run_once(recipe, data, seed, work, Circumstances(device, progress=False))
    answers = {name: rounded(scores) for name, scores in record["answers"].items()}
    last = record["last_epoch"] or {}
    shutil.rmtree(work, ignore_errors=True)
    return {
        "n": len(data.images), "k": data.n_clusters, "answers": answers, "chosen": record["chosen"],
        "epochs": last.get("epoch"), "seconds": record["seconds"], "continued": record["continued"],
        "warnings": sorted({warning["kind"] for warning in record["warnings"]}), **provenance(),
    }  # fmt: skip


class Learned(NamedTuple):
    """A seed that ``coterie reproduce`` ran: its set, its recipe by name and digest, its embedding (n, d) float32."""

    data: Dataset
    recipe: str
    digest: str
    seed: int
    embedding: np.ndarray


def learned(folder: Path, data: Path) -> Iterator[Learned]:
    """Every seed in the folder of ``coterie reproduce``; SystemExit where it holds none, or no embedding."""
    records = records_in(folder)
    if not records:
        raise SystemExit(f"{folder} holds no seed-*.json: give the folder that `coterie reproduce --out` wrote")
    for seed, record in sorted(records.items()):
        about, recipe = record["data"], record["recipe"]
        size = recipe["data"]["size"]
        found = load(about["set"], data, tuple(size) if size else None)
        with np.load(folder / f"seed-{seed}.npz", allow_pickle=False) as arrays:
            if "embedding" not in arrays.files:
                raise SystemExit(f"{folder}/seed-{seed}.npz has no embedding: run that seed again")
            embedding = arrays["embedding"]
        if list(found.images.shape) != about["shape"] or len(embedding) != len(found.images):
            raise SystemExit(f"{folder} was trained on other images than {about['set']} has now")
        yield Learned(found, recipe["name"], recipe["digest"], seed, embedding)


def training_part(data: Dataset) -> np.ndarray:
    """(n,) bool: the training part of the set, or four fifths of one that has no parts."""
    n = len(data.images)
    if data.name in N_TRAIN:
        return np.arange(n) < N_TRAIN[data.name]
    return np.isin(np.arange(n), np.random.default_rng(0).permutation(n)[: int(TRAIN_SHARE * n)])
