"""Writes a run folder, file by file; run.json comes last, so that a folder either is a whole run or says it is not."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from coterie.cli.learned_parts import FILES, with_scores, write_learned_parts
from coterie.cli.run_info import mark_info, run_info
from coterie.cli.scoring import known_classes, score, spread_of_runs
from coterie.cli.training_folder import TENSORBOARD, TrainingFolder
from coterie.files.atomic import remove_leftovers, write_json, write_npy, write_npz
from coterie.files.csv_files import write_csv
from coterie.files.escape import escape_name
from coterie.graphs.votes import surest_first
from coterie.images.store import ImageStore

PARTS = ("assignments.csv", "skipped.csv", "embedding.npy", "linkage.npz", "map.npy", "page.html", *FILES)
FOLDERS = ("thumbnails", "model", TENSORBOARD)
N_SHOWN = 24  # images of each group, half central and half doubtful, that always get a thumbnail


class RunWriter:
    """The writing side of a run folder. ``timings`` are seconds by stage; ``noted`` fills while the run goes on."""

    def __init__(self, folder: Path, noted: list[dict[str, str]]) -> None:
        self.folder = folder
        self.noted = noted
        self.timings: dict[str, float] = {}

    def begin(self, mark: dict[str, Any]) -> None:
        """Takes away the parts of an earlier run; run.json says so first, so that no reader takes it for whole."""
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

    def write(self, job: Any, store: ImageStore, training: TrainingFolder) -> dict[str, Any]:
        """Everything a run folder holds; what run.json says, times aside. ``training`` goes when it is whole."""
        # only now: a run that fails before has not touched the one it replaces
        self.begin(mark_info(job, store, self.folder))
        model = job.model
        with self.stage("write tables and model"):
            self._write_tables(store, model)
            self._write_arrays(model)
            write_learned_parts(self.folder, model, store)
            model.save(self.folder / "model")
        with self.stage("map"):
            self._write_map(model.embedding_, job.map, job.seed)
        with self.stage("thumbnails"):
            self._write_thumbnails(store, model)
        info = run_info(job, store, self.folder) | {"warnings": self.noted}
        if job.classes:
            info |= scored(info, model, store.names, job.classes)
        training.finish()
        self._write_info_and_page(info)
        training.remove()
        return info

    def _write_info_and_page(self, info: dict[str, Any]) -> None:
        from coterie.report.page import write_page

        write_json(self.folder / "run.json", info | {"timings": self._rounded_timings()})
        with self.stage("page"):
            write_page(self.folder)
        write_json(self.folder / "run.json", info | {"timings": self._rounded_timings()})

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

        half = N_SHOWN // 2
        groups = surest_first(model.labels_, model.confidence_)
        shown = [np.concatenate([own[:half], own[-half:]]) for own in groups]
        write_thumbnails(store, self.folder / "thumbnails", must_have=np.unique(np.concatenate(shown)).tolist())

    def _rounded_timings(self) -> dict[str, float]:
        return {name: round(seconds, 3) for name, seconds in self.timings.items()}


def scored(info: dict[str, Any], model: Any, names: list[str], classes: str) -> dict[str, Any]:
    """The entries of run.json with scores: those of the groups, and those of each answer where there are several."""
    known, counts = known_classes(names, classes)
    found: dict[str, Any] = {"scores": score(model.labels_, known) | counts}
    if "answers" in info:
        scores = {name: score(answer.labels, known) for name, answer in model.answers_.items()}
        runs = spread_of_runs(scores)
        found["answers"] = with_scores(info["answers"], scores) | ({"scores_of_runs": runs} if runs else {})
    return found
