"""Where the images of a run come from and what they are compared by; PATH or --features may be an earlier run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coterie.cli.options import parse_features
from coterie.cli.targets import default_run_folder, folder_after_run, run_status
from coterie.errors import ConfigError
from coterie.images.options import MAX_PIXELS

if TYPE_CHECKING:
    from coterie.files.run_folder import RunFolder

EMBEDDING = "embedding.npy"
# How images are read when nobody says otherwise; of an earlier run they are read as that run read them.
USUAL = {"size": "auto", "fit": "crop", "grey": "auto", "background": "white", "max_pixels": MAX_PIXELS}
FLAGS = {"grey": "grey/--colour", "max_pixels": "max-pixels"}  # where they differ from the names


@dataclass(frozen=True)
class Origin:
    """What ``open_images`` and ``make_extractor`` are given, and where to when nobody says.

    Attributes:
        source, reading: of the images.
        features: None for those that suit the images.
        out: the run folder.
        rows_of: the run whose rows are the features; its images must be those of the source.
    """

    source: str
    features: Any
    reading: dict[str, Any]
    out: Path
    rows_of: "RunFolder | None" = None


def run_at(path: str) -> "RunFolder | None":
    """The run that ``path`` is the folder of, None where it is no run; RunFolderError for one that is not whole."""
    from coterie.files.run_folder import RunFolder

    folder = Path(path)
    return None if run_status(folder) is None else RunFolder.open(folder)


def origin_of(path: str, features: str, reading: dict[str, Any], method: str) -> Origin:
    """What PATH and --features mean. A run as PATH, or its embedding.npy, is its images by its embedding.

    Raises ConfigError for options that a run leaves no room for, RunFolderError when its images are gone.
    """
    run = run_at(path) or (run_at(str(Path(path).parent)) if Path(path).name == EMBEDDING else None)
    if run is not None:
        return _of_run(path, run, features, reading, method)
    out = default_run_folder(path)
    if (rows_of := run_at(features)) is not None:
        return Origin(path, parse_features(str(rows_of.path / EMBEDDING)), reading, out, rows_of)
    return Origin(path, parse_features(features) if features != "auto" else None, reading, out)


def _of_run(path: str, run: "RunFolder", features: str, reading: dict[str, Any], method: str) -> Origin:
    from coterie.images.of_a_run import options_of, source_of
    from coterie.methods import METHODS

    source = source_of(run)
    if method in METHODS:
        raise ConfigError(f"--method {method} learns from images, and {path} is an embedding: give it {source}")
    if features != "auto":
        raise ConfigError(f"{path} is grouped by its embedding: leave --features out, or give {source} instead of it")
    if given := [name for name, usual in USUAL.items() if reading[name] != usual]:
        flag = FLAGS.get(given[0], given[0])
        raise ConfigError(f"the images of {path} are read as that run read them: leave --{flag} out")
    rest = {name: value for name, value in reading.items() if name not in USUAL}
    rows, out = parse_features(str(run.path / EMBEDDING)), folder_after_run(run.path, method)
    return Origin(source, rows, {**rest, "options": options_of(run)}, out, run)
