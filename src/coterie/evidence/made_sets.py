"""Sets that are made here, from others or from nothing: what UDC was tried on beside the sets as they are.

    set                 images  classes  made of
    artifact-mnist      70,000        3  mnist: the first pixel of each image .1, .5 or .9, and that is the class
    artifact-mnist-test 10,000        3  mnist-test, likewise
    artifact-mnist-0     6,903        3  the zeros of mnist, likewise: images in which nothing else has groups
    faint-mnist-test    10,000        3  mnist-test: the first pixel of each image .25, .5 or .75
    usps-1500           8,900       10  usps: up to 1,500 images of a digit, so that digits are not equally frequent
    usps-1200 .. -700   8,600 .. 7,000   likewise; usps-700 has 700 of each
    orl-32-gender          400        2  orl-32: 36 men (0) and 4 women (1)

The paper drew its variants at random and does not say how; here the seed is fixed, so a set is always the same images.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ARTIFACTS, FAINT = (0.1, 0.5, 0.9), (0.25, 0.5, 0.75)
DEVIATION = 0.014
EIGHT_CENTRES = np.array(
    [(1.414, 0), (-1.414, 0), (0, 1.414), (0, -1.414), (1, 1), (1, -1), (-1, 1), (-1, -1)], dtype=np.float64
)
# Table I of the supplement: images of the digits 0 to 9
USPS_COUNTS = {
    "usps-1500": (1500, 1200, 900, 800, 800, 700, 800, 700, 700, 800),
    "usps-1200": (1200, 1200, 900, 800, 800, 700, 800, 700, 700, 800),
    "usps-900": (900, 900, 900, 800, 800, 700, 800, 700, 700, 800),
    "usps-800": (800, 800, 800, 800, 800, 700, 800, 700, 700, 800),
    "usps-700": (700,) * 10,
}
WOMEN = (7, 9, 31, 34)  # of the 40 persons of ORL, from 0, as seen in the images (s8, s10, s32 and s35 of its folders)
SEED = 0


class Made(NamedTuple):
    """A set made of the set ``source``: ``make`` takes its images and classes and gives others; k classes, and how."""

    source: str
    make: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    k: int
    note: str


def eight_gaussians(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(points (n, 2) float32, classes (n,) int64): fresh samples of the eight blobs of UDC, section IV-B."""
    classes = rng.integers(0, len(EIGHT_CENTRES), n)
    points = EIGHT_CENTRES[classes] + rng.normal(0, DEVIATION, (n, 2))
    return points.astype(np.float32), classes


def with_artifact(
    images: np.ndarray, seed: int = SEED, values: tuple[float, ...] = ARTIFACTS
) -> tuple[np.ndarray, np.ndarray]:
    """(images with the first pixel of each set to one of ``values`` with equal probability, which (n,) int64).

    images: uint8 (n, c, h, w), left as they are.
    """
    classes = np.random.default_rng(seed).integers(0, len(values), len(images))
    marked = images.copy()
    marked[:, :, 0, 0] = np.rint(np.array(values) * 255).astype(np.uint8)[classes][:, None]
    return marked, classes


def thinned(classes: np.ndarray, counts: tuple[int, ...], seed: int = SEED) -> np.ndarray:
    """Rows, rising, of ``counts[c]`` images of each class c, drawn at random; ``classes`` (n,) has enough of each."""
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(np.flatnonzero(classes == c), count, replace=False) for c, count in enumerate(counts)]
    return np.sort(np.concatenate(drawn))


def genders(persons: np.ndarray) -> np.ndarray:
    """(n,) int64: 1 for the women among the ``persons`` (n,) of ORL, 0 to 39, and 0 for the men."""
    return np.isin(persons, WOMEN).astype(np.int64)


def _artifact(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001 (new classes)
    return with_artifact(images)


def _artifact_of_zeros(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return with_artifact(images[classes == 0])


def _faint(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001 (new classes)
    return with_artifact(images, values=FAINT)


def _usps(name: str) -> Made:
    counts = USPS_COUNTS[name]

    def make(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = thinned(classes, counts)
        return images[rows], classes[rows]

    return Made("usps", make, 10, f"{sum(counts):,} images of usps, drawn at random, in file order")


def _orl(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return images, genders(classes)


MARKED = "the first pixel of each image is .1, .5 or .9, and that is its class; seed 0"
MADE: dict[str, Made] = {
    "artifact-mnist": Made("mnist", _artifact, 3, f"mnist: {MARKED}"),
    "artifact-mnist-test": Made("mnist-test", _artifact, 3, f"mnist-test: {MARKED}"),
    "artifact-mnist-0": Made("mnist", _artifact_of_zeros, 3, f"the zeros of mnist: {MARKED}"),
    "faint-mnist-test": Made(
        "mnist-test", _faint, 3, "mnist-test: the first pixel .25, .5 or .75, and that is the class"
    ),
    **{name: _usps(name) for name in USPS_COUNTS},
    "orl-32-gender": Made("orl-32", _orl, 2, "orl-32: 36 men (0) and 4 women (1), ten faces of each"),
}
