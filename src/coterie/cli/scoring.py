"""Scores of a run against known classes."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coterie.errors import ClassesWarning, ConfigError

OF_RUNS = ("accuracy", "nmi_geometric", "nmi_arithmetic", "ari")


def score(labels: np.ndarray, known: np.ndarray) -> dict[str, Any]:
    """The scores of ``labels`` (n,) against the classes ``known`` (n,), of the images whose class is not -1."""
    from coterie.metrics import score_all

    return dict(score_all(known[known >= 0], labels[known >= 0]))


def spread_of_runs(answers: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """min, median, max, mean and sd of ACC, NMI and ARI over the trainings that a method compared, by the scores of its
    ``answers``; empty for a method that trains once.
    """
    from coterie.evidence.summary import runs_in, spread

    runs = runs_in(answers)
    return {name: spread([scores[name] for scores in runs]) for name in OF_RUNS} if runs else {}


def known_classes(names: list[str], classes: str) -> tuple[np.ndarray, dict[str, int]]:
    """The class of each image, (n,) int64 with -1 where unknown, and the counts of what matched.

    ``classes`` is a CSV file, or ``folders`` for the folder each image lies in. Raises ClassesError when the file
    matches no image, ConfigError when there is only one folder. Warns with ClassesWarning of images without a class,
    and of classes whose scores say nothing.
    """
    from coterie.files.classes_file import match_classes

    if classes == "folders":
        folders = np.array([str(Path(name).parent) for name in names])
        class_names, known = np.unique(folders, return_inverse=True)
        if len(class_names) < 2:
            raise ConfigError("--classes folders needs images in at least two folders; all of them lie in one")
        return known.astype(np.int64), {}
    match = match_classes(names, Path(classes))
    _warn_of_classes(match.n_matched, len(names), len(match.class_names), classes)
    return match.classes, {"matched": match.n_matched, "without_class": match.n_missing, "unused_rows": match.n_extra}


def _warn_of_classes(n_matched: int, n: int, n_classes: int, path: str) -> None:
    if n_matched < n:
        sentence = f"{path} has a class for {n_matched:,} of the {n:,} images; the scores are of those alone"
        warnings.warn(sentence, ClassesWarning, stacklevel=3)
    if n_classes in (1, n_matched):
        many = "one class" if n_classes == 1 else "a class of its own"
        sentence = f"{path} puts every image into {many}, so the scores say little"
        warnings.warn(sentence, ClassesWarning, stacklevel=3)
