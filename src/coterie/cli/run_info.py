"""What run.json says about a run, beside its warnings, scores and times."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from coterie import __version__
from coterie.cli.learned_parts import answers_info
from coterie.images.store import ImageStore
from coterie.parameters import OF_THE_RUN

FORMAT_VERSION = 1
LEARNED = "trained"  # images.trained.NAME, whose module imports torch
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "numba", "pillow")


def run_info(job: Any, store: ImageStore, folder: Path) -> dict[str, Any]:
    """The content of run.json for a finished ``job`` on ``store``, written to ``folder``."""
    model = job.model
    used = features_used(model)
    info = _begun(job, folder, "complete") | {
        "created": _now(),
        "config": _config(job) | ({"features_used": used} if used else {}),
        "images": _images(store),
        "clusters": {"n": model.n_clusters_, "sizes": np.bincount(model.labels_).tolist()},
        "versions": versions(),
    }
    if hasattr(model, "merges_"):
        info["linkage"] = linkage_info(model)
    if taken := getattr(model, "taken_", None):
        info["taken"] = {parameter: own._asdict() for parameter, own in taken.items()}
    if (choice := getattr(model, "choice_", None)) is not None:
        info["choice"] = _choice(choice)
    if getattr(model, "answers_", None):
        info["answers"] = answers_info(model)
    return info


def mark_info(job: Any, store: ImageStore, folder: Path) -> dict[str, Any]:
    """The content of run.json while the ``job`` on ``store`` is under way: what the same command goes on from."""
    images = {"n": len(store), "fingerprint": store.fingerprint}
    return _begun(job, folder, "running") | {"began": _now(), "config": _config(job), "images": images}


def settings(model: Any) -> dict[str, Any]:
    """The parameters of ``model`` as JSON holds them, without those that say where and how it tells of itself."""
    parameters = model.get_params(deep=False).items()
    return {name: _plain(value) for name, value in parameters if name not in OF_THE_RUN}


def features_used(model: Any) -> str:
    """What the images were compared by; "" for a method that learns it."""
    extractor = getattr(model, "extractor_", None)
    return str(extractor.name) if extractor is not None and extractor.name != LEARNED else ""


def linkage_info(model: Any) -> dict[str, Any]:
    """How the linkage came to its answer; the figures of the sized stop are absent where it did not stop that way."""
    info = {
        "n_neighbors": model.n_neighbors_,
        "recall": round(model.recall_, 4),
        "stop": "sized" if model.stop_ is not None else "plain",
        "zero_merges": model.n_zero_merges_,
    }
    if (linked := getattr(model, "n_linked_", len(model.labels_))) < len(model.labels_):
        info |= {"linked": linked}
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


def _begun(job: Any, folder: Path, status: str) -> dict[str, Any]:
    return {
        "format": "coterie run",
        "format_version": FORMAT_VERSION,
        "status": status,
        "coterie": __version__,
        "source": job.source,
        "source_from_run": _relative(job.source, folder),
        "method": job.method,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _config(job: Any) -> dict[str, Any]:
    return settings(job.model) | {"seed": job.seed, "map": job.map}


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
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
