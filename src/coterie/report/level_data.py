"""The groups at other numbers of groups than the run's, for the slider of the page."""

from typing import Any

import numpy as np

from coterie.errors import RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.graphs.history import History
from coterie.graphs.levels import levels
from coterie.report.packing import packed

MOST_CLUSTERS = 2_000  # of a run with a slider: beyond, nobody looks at groups one by one
FEWEST = 2


def level_data(run: RunFolder) -> dict[str, Any] | None:
    """``finest`` int32 (n,) and ``mergers`` int32 (most - fewest, 2) as in ``graphs.levels``; ``n_clusters`` of the
    run, ``fewest`` and ``most``, and the ``runners_up`` among them. None for a run without a linkage or without other
    levels.
    """
    if run.linkage is None or not len(run.labels) or run.labels.min() < 0 or run.labels.max() >= MOST_CLUSTERS:
        return None
    if not np.bincount(run.labels).all():
        return None
    told = run.info.get("linkage")
    size = told.get("min_cluster_size", 1) if isinstance(told, dict) else 1
    k = int(run.labels.max()) + 1
    features = run.embedding if (run.path / "embedding.npy").exists() else None
    found = levels(_history(run), run.labels, float(size), fewest=FEWEST, most=most_shown(k), features=features)
    if not len(found.mergers):
        return None
    return {
        "finest": packed(found.finest, "<i4"),
        "mergers": packed(found.mergers, "<i4"),
        "n_clusters": k,
        "fewest": found.fewest,
        "most": found.most,
        "runners_up": _runners_up(run.info, found.fewest, found.most, k),
    }


def most_shown(k: int) -> int:
    """How far the slider goes for a run with ``k`` groups: four times as many up to 60, and 20 more in any case."""
    return max(min(4 * k, 60), k + 20)


def _history(run: RunFolder) -> History:
    """The merge history of the run; RunFolderError when it is none, so that no compiled loop runs out of its arrays."""
    assert run.linkage is not None
    initial, merges = run.linkage["initial"], run.linkage["merges"]
    n, m = len(run.labels), len(merges)
    whole = initial.shape == (n,) and merges.shape == (m, 2) and initial.min() >= 0
    if whole:
        new = int(initial.max()) + 1 + np.arange(m)
        used_once = len(np.unique(merges)) == merges.size
        whole = used_once and bool((merges >= 0).all() and (merges < new[:, None]).all())
    if not whole or run.linkage["affinity"].shape != (m,) or run.linkage["size"].shape != (m,):
        raise RunFolderError(
            f"{run.path / 'linkage.npz'} is no merge history of {n} images; run the same command again."
        )
    return History(initial, merges, run.linkage["affinity"], run.linkage["size"])


def _runners_up(info: dict[str, Any], fewest: int, most: int, k: int) -> list[int]:
    choice = info.get("choice")
    rows = choice.get("runners_up") if isinstance(choice, dict) else None
    numbers = [row.get("n_clusters") for row in rows or [] if isinstance(row, dict)]
    return [number for number in numbers if isinstance(number, int) and fewest <= number <= most and number != k]
