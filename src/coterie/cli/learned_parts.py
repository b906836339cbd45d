"""The parts of a run folder that a deep method adds: answers, figures of the training, snapshots, where it looked, and
pictures of what it groups by.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coterie.files.atomic import write_npz, write_text
from coterie.files.group_pictures import MOST_GROUPS, GroupPictures, write_group_pictures
from coterie.files.snapshots import write_snapshots
from coterie.graphs.votes import surest_first
from coterie.images.group_means import set_apart, shrunk
from coterie.images.store import ImageStore
from coterie.metrics import agreement

FILES = ("answers.npz", "metrics.jsonl", "snapshots.npz", "attention.npz", "samples.npz", "group-pictures.npz")
MOST_ALTERNATIVES = 4  # of which pictures are kept
N_PICTURED = 8  # images of a group
SIDE = 64  # pixels of a picture of an image, at most


def write_learned_parts(folder: Path, model: Any, store: ImageStore) -> None:
    """Writes what ``model``, fitted on ``store``, has of them into ``folder``; nothing for one that does not train."""
    if answers := getattr(model, "answers_", None):
        labels = {name: np.asarray(answer.labels, dtype=np.int64) for name, answer in answers.items()}
        write_npz(folder / "answers.npz", **labels)
    if records := getattr(model, "training_", None):
        write_text(folder / "metrics.jsonl", "".join(json.dumps(record, allow_nan=False) + "\n" for record in records))
    if snapshots := getattr(model, "snapshots_", None):
        write_snapshots(folder / "snapshots.npz", snapshots)
    if looks := getattr(model, "looks_", None):
        write_npz(folder / "attention.npz", **looks._asdict())
    if (samples := getattr(model, "samples_", None)) is not None:
        write_npz(folder / "samples.npz", samples=samples)
        write_group_pictures(folder / "group-pictures.npz", _pictures(model, store))


def answers_info(model: Any) -> dict[str, Any]:
    """What run.json says of the answers: which was chosen and why, and how far each agrees with it; of a method that
    trains several times, the runs.
    """
    return {
        "chosen": model.assigned_,
        "because": model.assigned_because_,
        "answers": [_answer(name, answer.labels, model.labels_) for name, answer in model.answers_.items()],
        **_runs(model),
    }


def _runs(model: Any) -> dict[str, Any]:
    """The runs that were compared, how much each two of them share, which was chosen, and which group otherwise."""
    if len(rows := getattr(model, "runs_", ())) < 2:
        return {}
    runs = [
        {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()} for row in rows
    ]
    nmi = [[round(float(value), 4) for value in line] for line in model.nmi_]
    return {"runs": runs, "nmi": nmi, "chosen_run": model.chosen_run_, "alternatives": list(model.alternatives_)}


def with_scores(answers: Mapping[str, Any], scores: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The entry ``answers`` of run.json with the ``scores`` of each answer, by its name."""
    rows = [row | {"scores": scores[row["name"]]} for row in answers["answers"]]
    return {**answers, "answers": rows}


def _pictures(model: Any, store: ImageStore) -> dict[str, GroupPictures]:
    """Those of the answer of ``model``, and of the first four that it offers instead."""
    alternatives = list(getattr(model, "alternative_samples_", {}).items())[:MOST_ALTERNATIVES]
    drawn = {model.assigned_: model.samples_, **dict(alternatives)}
    return {name: _pictures_of(model.answers_[name], samples, store) for name, samples in drawn.items()}


def _pictures_of(answer: Any, drawn: np.ndarray, store: ImageStore) -> GroupPictures:
    apart, strength = set_apart(store.images, answer.labels, MOST_GROUPS, 2 * SIDE)
    surest = [own[:N_PICTURED] for own in surest_first(answer.labels, answer.confidence)[:MOST_GROUPS]]
    images = np.asarray(store.images[np.concatenate(surest)])
    own = drawn[:MOST_GROUPS]
    small = shrunk(own.reshape(-1, *own.shape[2:]), SIDE)
    return GroupPictures(
        apart, strength, shrunk(images, SIDE), np.array([len(rows) for rows in surest]),
        small.reshape(*own.shape[:2], *small.shape[1:]),
    )  # fmt: skip


def _answer(name: str, labels: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    return {"name": name, "n_clusters": len(np.unique(labels)), "ari": round(agreement(chosen, labels), 4)}
