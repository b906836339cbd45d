"""Writes a run folder, file by file; run.json comes last, so that a folder either is a whole run or says it is not."""

import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from coterie import __version__
from coterie.cli.run_info import FORMAT_VERSION, run_info
from coterie.errors import ClassesWarning, ConfigError
from coterie.files.atomic import remove_leftovers, write_json, write_npy, write_npz
from coterie.files.csv_files import write_csv
from coterie.files.escape import escape_name
from coterie.images.store import ImageStore

PARTS = ("assignments.csv", "skipped.csv", "embedding.npy", "linkage.npz", "map.npy", "page.html")
FOLDERS = ("thumbnails", "model")
N_SHOWN = 24  # images of each group, half central and half doubtful, that always get a thumbnail


class RunWriter:
    """The writing side of a run folder. ``timings`` are seconds by stage; ``noted`` fills while the run goes on."""

    def __init__(self, folder: Path, noted: list[dict[str, str]]) -> None:
        self.folder = folder
        self.noted = noted
        self.timings: dict[str, float] = {}

    def begin(self) -> None:
        """Takes away the parts of an earlier run; run.json says so first, so that no reader takes it for whole."""
        mark = {"format": "coterie run", "format_version": FORMAT_VERSION, "status": "running", "coterie": __version__}
        write_json(self.folder / "run.json", mark)
        for name in PARTS:
            (self.folder / name).unlink(missing_ok=True)
        for name in FOLDERS:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        remove_leftovers(self.folder)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures what happens inside as ``name``."""
        began = time.perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - began

    def write(self, job: Any, store: ImageStore) -> dict[str, Any] | None:
        """Everything a run folder holds; the scores, when classes were given."""
        from coterie.report.page import write_page

        self.begin()  # only now: a run that fails before has not touched the one it replaces
        model = job.model
        with self.stage("write tables and model"):
            self._write_tables(store, model)
            self._write_arrays(model)
            model.save(self.folder / "model")
        with self.stage("map"):
            self._write_map(model.embedding_, job.map, job.seed)
        with self.stage("thumbnails"):
            self._write_thumbnails(store, model)
        scores = score(store.names, model.labels_, job.classes) if job.classes else None
        info = run_info(job, store, self.folder) | {"warnings": self.noted}
        if scores is not None:
            info["scores"] = scores
        write_json(self.folder / "run.json", info | {"timings": self._rounded_timings()})
        with self.stage("page"):
            write_page(self.folder)
        write_json(self.folder / "run.json", info | {"timings": self._rounded_timings()})
        return scores

    def _write_tables(self, store: ImageStore, model: Any) -> None:
        rows = zip(store.names, model.labels_.tolist(), model.confidence_.tolist(), strict=True)
        lines = ([escape_name(name), label, f"{share:.4f}"] for name, label, share in rows)
        write_csv(self.folder / "assignments.csv", ["path", "label", "confidence"], lines)
        skipped = [[escape_name(entry.name), entry.reason] for entry in store.skipped]
        write_csv(self.folder / "skipped.csv", ["path", "reason"], skipped)

    def _write_arrays(self, model: Any) -> None:
        write_npy(self.folder / "embedding.npy", model.embedding_)
        if not hasattr(model, "merges_"):
            return
        write_npz(
            self.folder / "linkage.npz",
            initial=model.initial_labels_,
            merges=model.merges_[:, :2].astype(np.int64),
            affinity=model.merges_[:, 2],
            size=model.merges_[:, 3].astype(np.int64),
            is_fragment=np.zeros(len(model.labels_), bool) if model.stop_ is None else model.stop_.is_fragment,
        )

    def _write_map(self, embedding: np.ndarray, method: str, seed: int) -> None:
        from coterie.report.flat_map import flat_map

        write_npy(self.folder / "map.npy", flat_map(embedding, method=method, seed=seed))

    def _write_thumbnails(self, store: ImageStore, model: Any) -> None:
        from coterie.images.thumbnails import write_thumbnails

        order = np.lexsort((-model.confidence_, model.labels_))
        starts = np.searchsorted(model.labels_[order], np.arange(model.n_clusters_ + 1))
        shown = [
            np.concatenate([order[a : min(a + N_SHOWN // 2, b)], order[max(a, b - N_SHOWN // 2) : b]])
            for a, b in pairwise(starts)
        ]
        write_thumbnails(store, self.folder / "thumbnails", must_have=np.unique(np.concatenate(shown)).tolist())

    def _rounded_timings(self) -> dict[str, float]:
        return {name: round(seconds, 3) for name, seconds in self.timings.items()}


def score(names: list[str], labels: np.ndarray, classes: str) -> dict[str, Any]:
    """The scores of ``labels`` against known classes: a CSV file, or ``folders`` for the folder each image lies in."""
    from coterie.metrics import score_all

    known, counts = known_classes(names, classes)
    return dict(score_all(known[known >= 0], labels[known >= 0])) | counts


def known_classes(names: list[str], classes: str) -> tuple[np.ndarray, dict[str, int]]:
    """The class of each image, (n,) int64 with -1 where unknown, and the counts of what matched.

    Raises ClassesError when the file matches no image, ConfigError when there is only one folder. Warns with
    ClassesWarning of images without a class, and of classes whose scores say nothing.
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
