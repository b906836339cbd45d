"""A short training of DCCM with everything a resume can get wrong; also a program, to be killed from outside."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coterie.methods.dccm import DCCM
from kills import kill_many
from methods.patterns import K, patterns
from methods.saving import EVERY_BATCH, figures, saving

IMAGES, CLASSES = patterns(each=14, noise=60)
# chunks of 16, 16 and 10 images; the last is shorter than the others and longer than a batch
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "epochs": 3, "chunk": 16, "repeats": 2, "batch_size": 8, "maps": 4, "n_features": 8,
    "mi_width": 8, "mi_places": 4, "use_original_terms": True, "label_threshold": 0.5, "device": "cpu",
}  # fmt: skip


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> DCCM:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return DCCM(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


def assert_same(one: DCCM, other: DCCM) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    for name, answer in one.answers_.items():
        assert (answer.labels == other.answers_[name].labels).all(), name
        assert (answer.confidence == other.answers_[name].confidence).all(), name
    assert (one.embedding_ == other.embedding_).all()
    assert one.batch_spread_ == other.batch_spread_
    first, second = one.extractor_.tensors() | one.head_.tensors(), other.extractor_.tensors() | other.head_.tensors()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []
    assert [shot.title for shot in one.snapshots_] == [shot.title for shot in other.snapshots_]
    for shot, again in zip(one.snapshots_, other.snapshots_, strict=True):
        assert (shot.positions == again.positions).all(), shot.title
        assert (shot.labels == again.labels).all(), shot.title
    assert figures(one) == figures(other)


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(train, assert_same, Path(sys.argv[1]), int(sys.argv[2]))
