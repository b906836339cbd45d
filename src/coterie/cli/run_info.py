"""What run.json says about a run, beside its warnings, scores and times."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from coterie import __version__
from coterie.images.store import ImageStore

FORMAT_VERSION = 1
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "numba", "pillow")


def run_info(job: Any, store: ImageStore, folder: Path) -> dict[str, Any]:
    """The content of run.json for a finished ``job`` on ``store``, written to ``folder``."""
    model = job.model
    info = {
        "format": "coterie run",
        "format_version": FORMAT_VERSION,
        "status": "complete",
        "coterie": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": job.source,
        "source_from_run": _relative(job.source, folder),
        "method": job.method,
        "config": _config(job),
        "images": _images(store),
        "clusters": {"n": model.n_clusters_, "sizes": np.bincount(model.labels_).tolist()},
        "versions": versions(),
    }
    if hasattr(model, "merges_"):
        info["linkage"] = linkage_info(model)
    if (choice := getattr(model, "choice_", None)) is not None:
        info["choice"] = _choice(choice)
    return info


def linkage_info(model: Any) -> dict[str, Any]:
    """How the linkage came to its answer; the figures of the sized stop are absent where it did not stop that way."""
    info = {
        "n_neighbors": model.n_neighbors_,
        "recall": round(model.recall_, 4),
        "stop": model.stop if model.stop_ is not None else "plain",
        "zero_merges": model.n_zero_merges_,
    }
    if (stop := model.stop_) is not None:
        info |= {
            "min_cluster_size": float(stop.min_size),
            "fragments": stop.n_fragments,
            "fragment_images": stop.n_fragment_images,
            "inside": round(float(stop.inside), 4),
        }
    return info


def versions() -> dict[str, str]:
    """The versions a result depends on."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _choice(choice: Any) -> dict[str, Any]:
    runners_up = [{"n_clusters": k, "score": round(value, 4)} for k, value in choice.runners_up]
    return {
        "n_clusters": choice.n_clusters,
        "score": round(choice.score, 4),
        "rule": choice.rule,
        "runners_up": runners_up,
    }


def _config(job: Any) -> dict[str, Any]:
    parameters = {name: _plain(value) for name, value in job.model.get_params(deep=False).items()}
    return parameters | {"features_used": job.model.extractor_.name, "seed": job.seed, "map": job.map}


def _images(store: ImageStore) -> dict[str, Any]:
    return {
        "n": len(store),
        "shape": list(store.shape),
        "skipped": len(store.skipped),
        "duplicates": store.duplicates,
        "oddities": store.oddities,
        "other_files": store.n_other,
        "options": store.options.to_dict(),
        "fingerprint": store.fingerprint,
    }


def _relative(source: str, folder: Path) -> str | None:
    """Where the images lie as seen from the run, so that both are found from anywhere and can move together."""
    try:
        return os.path.relpath(Path(source).resolve(), folder.resolve())
    except ValueError:  # another drive of a Windows machine
        return None


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
