"""Image sets by name: what each one is, and from which files it is read.

``load("usps-11k", folder)`` gives the whole set at once, in the order of its file. Nothing is shuffled here: the rows
of some sets are sorted by class (``note`` says so), and methods shuffle for themselves, by their seed. Classes score
an answer, and their number is told to the method; nothing else of them enters a fit.

    set                 images  classes  c x h x w      rows
    digits               1,797       10  1 x 8 x 8      mixed (comes with scikit-learn, needs no file)
    mnist               70,000       10  1 x 28 x 28    mixed; 60,000 train, then 10,000 test
    mnist-test          10,000       10  1 x 28 x 28    mixed; the test part alone ("MNIST-test" of the papers)
    fashion-mnist       70,000       10  1 x 28 x 28    mixed; 60,000 train, then 10,000 test
    fashion-mnist-test  10,000       10  1 x 28 x 28    mixed
    usps                 9,298       10  1 x 16 x 16    mixed; 7,291 train, then 2,007 test
    usps-11k            11,000       10  1 x 16 x 16    by class, 1,100 each (the USPS of JULE)
    orl                    400       40  1 x 112 x 92   by person, 10 each
    orl-32                 400       40  1 x 32 x 32    by person, 10 each
    coil-20              1,440       20  1 x 32 x 32    by object, 72 each (block means; JULE has 128 x 128)
    cmu-pie              2,856       68  1 x 32 x 32    by person, 42 each
    cifar-10            60,000       10  3 x 32 x 32    mixed; 50,000 train, then 10,000 test
    cifar-10-jpeg       60,000       10  3 x 32 x 32    train mixed, then test by class (a JPEG re-encode)
    cifar-10-5000        5,000       10  3 x 32 x 32    mixed; train 0-3999, then test 0-999
    tiny-imagenet-10     5,500       10  3 x 64 x 64    by class (not the ImageNet-10 of the papers)

Training and test images are one set unless the name says otherwise, as in the papers of the field. ``made_sets`` has
more, which are made of these.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coterie.errors import ConfigError, SourceError
from coterie.evidence.archives import read_archive
from coterie.evidence.cifar_files import CIFAR_FILES, read_cifar
from coterie.evidence.class_folders import read_class_folders
from coterie.evidence.idx_files import IDX_FILES, read_idx_set
from coterie.evidence.made_sets import MADE
from coterie.evidence.rows import Rows
from coterie.images.arrays import fit_array
from coterie.images.options import StoreOptions

FOLDER_VARIABLE = "COTERIE_DATA"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A set as it was read.

    Attributes:
        name: as given to ``load``.
        images: uint8 (n, c, h, w), in the order of the file.
        classes: (n,) int64, 0 to n_clusters - 1; for scoring only.
        n_clusters: the number of classes.
        note: the order of the rows, and what else a reader of a number on this set should know.
    """

    name: str
    images: np.ndarray
    classes: np.ndarray
    n_clusters: int
    note: str


@dataclass(frozen=True)
class KnownSet:
    """What a set has to be, and its files: an ``archive``, or public files in one of ``folders``."""

    n: int
    n_clusters: int
    shape: tuple[int, int, int]
    note: str
    archive: str | None = None
    folders: tuple[str, ...] = ()
    test_only: bool = False


MIXED = "rows in file order, classes mixed"
BY_CLASS = "rows in file order, sorted by class"
MNIST, FASHION = ("mnist", "MNIST/raw"), ("fashion-mnist", "FashionMNIST/raw")  # the second is torchvision's
CIFAR = ("cifar-10", "cifar-10-batches-bin", "cifar-10-batches-py")

SETS = {
    "digits": KnownSet(1797, 10, (1, 8, 8), f"scikit-learn's scanned digits, 0-16 scaled to 0-255; {MIXED}"),
    "mnist": KnownSet(70_000, 10, (1, 28, 28), f"train, then test; {MIXED}", "mnist.npz", MNIST),
    "mnist-test": KnownSet(10_000, 10, (1, 28, 28), f"test part alone; {MIXED}", "mnist.npz", MNIST, test_only=True),
    "fashion-mnist": KnownSet(70_000, 10, (1, 28, 28), f"train, then test; {MIXED}", "fashion_mnist.npz", FASHION),
    "fashion-mnist-test": KnownSet(
        10_000, 10, (1, 28, 28), f"test part alone; {MIXED}", "fashion_mnist.npz", FASHION, test_only=True
    ),
    "usps": KnownSet(9298, 10, (1, 16, 16), f"train, then test, grey values rounded to 8 bits; {MIXED}", "usps.npz"),
    "usps-11k": KnownSet(11_000, 10, (1, 16, 16), f"1,100 of each digit; {BY_CLASS}", "usps_11k.npz"),
    "orl": KnownSet(400, 40, (1, 112, 92), f"10 faces of each person; {BY_CLASS}", "orl.npz"),
    "orl-32": KnownSet(400, 40, (1, 32, 32), f"10 faces of each person; {BY_CLASS}", "orl_32x32.npz"),
    "coil-20": KnownSet(
        1440, 20, (1, 32, 32), f"72 views of each object, 4 x 4 block means of 128 x 128; {BY_CLASS}", "coil20.npz"
    ),
    "cmu-pie": KnownSet(2856, 68, (1, 32, 32), f"42 faces of each person; {BY_CLASS}", "cmu_pie.npz"),
    "cifar-10": KnownSet(60_000, 10, (3, 32, 32), f"train, then test; {MIXED}", None, CIFAR),
    "cifar-10-jpeg": KnownSet(
        60_000, 10, (3, 32, 32), "a JPEG re-encode, to be called CIFAR-10 (JPEG); rows in file order, the test part "
        "sorted by class", "cifar10_jpeg_bytes.npz",
    ),
    "cifar-10-5000": KnownSet(
        5000, 10, (3, 32, 32), f"the first 4,000 train and 1,000 test images; {MIXED}", "cifar10_png_5000.npz"
    ),
    "tiny-imagenet-10": KnownSet(
        5500, 10, (3, 64, 64), f"ten classes of Tiny-ImageNet, not the papers' ImageNet-10; {BY_CLASS}",
        "tiny_imagenet_10_jpeg.npz",
    ),
}  # fmt: skip


def data_folder(given: Path | None = None) -> Path:
    """The folder of the sets: the one given, else the environment's COTERIE_DATA, else ``data`` where we are."""
    return given or Path(os.environ.get(FOLDER_VARIABLE) or "data")


def load(name: str, folder: Path, size: tuple[int, int] | None = None) -> Dataset:
    """The set called ``name``, from its files in ``folder``.

    Args:
        name: one of ``SETS`` or of ``made_sets.MADE``; any other name is a folder per class, ``folder``/name.
        folder: holds the files; not looked at for ``digits``.
        size: (height, width) to stretch the images to; None keeps theirs (a folder per class: ``open_images``' rule).

    Raises:
        SourceError: no file of the set is there, it is damaged, or it does not hold the set that its name promises.
        ConfigError: the name could not be that of a folder.
    """
    if made := MADE.get(name):
        source = load(made.source, folder, size)
        return Dataset(name, *made.make(source.images, source.classes), made.k, made.note)
    known = SETS.get(name)
    if known is None:
        rows = read_class_folders(_own_folder(name, folder), size)
        return Dataset(name, rows.images, rows.classes, int(rows.classes.max()) + 1, f"folder per class; {BY_CLASS}")
    rows = _read(name, known, folder)
    _check(name, known, rows)
    images = rows.images if size is None else _stretched(rows.images, size)
    return Dataset(name, np.ascontiguousarray(images), rows.classes, known.n_clusters, known.note)


def _read(name: str, known: KnownSet, folder: Path) -> Rows:
    if name == "digits":
        return _digits()
    if known.archive and (folder / known.archive).is_file():
        rows = read_archive(folder / known.archive)
        return rows.test_part() if known.test_only else rows
    for place in (folder / part for part in known.folders):
        if place.is_dir() and (found := _read_public(name, known, place)):
            return found
    if (folder / name).is_dir():
        return read_class_folders(folder / name, known.shape[1:], grey=known.shape[0] == 1)
    raise SourceError(
        f"the set {name} is not in {folder}: expected there {', or '.join(_expected(name, known))}; name the folder "
        f"that holds it with --data or {FOLDER_VARIABLE}"
    )


def _read_public(name: str, known: KnownSet, place: Path) -> Rows | None:
    return read_cifar(place) if name == "cifar-10" else read_idx_set(place, test_only=known.test_only)


def _expected(name: str, known: KnownSet) -> Iterator[str]:
    if known.archive:
        yield known.archive
    if known.folders:
        yield f"{CIFAR_FILES if name == 'cifar-10' else IDX_FILES} in {known.folders[0]}/"
    yield f"a folder for each class in {name}/"


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Rows((digits.images * 255 / 16).astype(np.uint8)[:, None], digits.target.astype(np.int64), "scikit-learn")


def _own_folder(name: str, folder: Path) -> Path:
    """The folder per class of a set that is not known by name."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"the set {name!r} is not a name: give one of {', '.join(SETS)}, or that of a folder")
    if not (folder / name).is_dir():
        raise SourceError(
            f"the set {name} is not known, and {folder / name} is not a folder: give one of {', '.join(SETS)}, or the "
            f"name of a folder per class in the folder of --data or {FOLDER_VARIABLE}"
        )
    return folder / name


def _check(name: str, known: KnownSet, rows: Rows) -> None:
    """A number on half a set, or on another one, would look like any other number."""
    found = (len(rows.images), len(np.unique(rows.classes)), *rows.images.shape[1:])
    expected = (known.n, known.n_clusters, *known.shape)
    if found != expected:
        raise SourceError(
            f"{rows.source} does not hold the set {name}: it has {_facts(found)}, and {name} has {_facts(expected)}; "
            "get the whole set"
        )


def _facts(facts: tuple[int, ...]) -> str:
    n, k, *shape = facts
    return f"{n:,} images of {' x '.join(map(str, shape))} in {k} classes"


def _stretched(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return fit_array(images, StoreOptions(size=size, fit="stretch", grey=images.shape[1] == 1))
