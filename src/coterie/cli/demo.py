"""`make demo`: scikit-learn's 1,797 scanned digits as PNG files, the main job on them, and the page to open."""

from pathlib import Path
from typing import Annotated

import typer

from coterie.cli.cluster import cluster
from coterie.cli.terminal import make_printable, say


def write_digits(folder: Path) -> Path:
    """Writes the digits into ``folder``/digits and their known classes into ``folder``/classes.csv, whose path it
    returns.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    from coterie.files.csv_files import write_csv

    digits = load_digits()
    images = folder / "digits"
    images.mkdir(parents=True, exist_ok=True)
    names = [f"digit-{i:04d}.png" for i in range(len(digits.images))]
    for name, pixels in zip(names, digits.images, strict=True):
        Image.fromarray((pixels * 255 / 16).astype("uint8")).save(images / name)
    rows = zip(names, digits.target.tolist(), strict=True)
    write_csv(folder / "classes.csv", ["path", "class"], rows)
    return folder / "classes.csv"


def demo(out: Annotated[Path, typer.Option(help="Folder for the images and the run.")] = Path("demo")) -> None:
    """Group 1,797 scanned digits and score the groups against the known digits."""
    make_printable()
    classes = write_digits(out)
    say(f"1,797 scanned digits are in {out / 'digits'}; now: coterie cluster {out / 'digits'} -k 10")
    cluster(str(out / "digits"), k="10", out=out / "run", classes=str(classes), force=True)


if __name__ == "__main__":
    typer.run(demo)
