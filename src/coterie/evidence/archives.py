"""Sets kept in one .npz: pixels, or the bytes of JPEG files one after another."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from coterie.errors import CoterieError, SourceError, UnreadableImageError
from coterie.evidence.rows import Rows
from coterie.images.arrays import array_images
from coterie.images.decode import decode


def read_archive(path: Path) -> Rows:
    """The set in ``path``: ``labels`` (n,) from 0, ``split`` (n,) with 1 for test where there is one, and its images.

    Images are ``images``, uint8 (n, h, w) or (n, h, w, 3), or JPEG files: image i is
    ``jpeg[offsets[i]:offsets[i + 1]]``, or ``header`` followed by ``scan[offsets[i]:offsets[i + 1]]`` when all share
    their first bytes. Raises SourceError when the file is damaged or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images = array_images(archive["images"])[0] if "images" in archive.files else _decoded(path, archive)
            is_test = archive["split"] == 1 if "split" in archive.files else None
            return Rows(images, archive["labels"].astype(np.int64), str(path), is_test)
    except CoterieError:
        raise
    except KeyError as error:
        raise SourceError(
            f"{path} is not an image set: {error.args[0]}; expected the arrays images and labels"
        ) from error
    except Exception as error:  # a damaged zip or header raises nearly anything
        raise SourceError(f"{path} is damaged ({error}): get the file again") from error


def _decoded(path: Path, archive: "np.lib.npyio.NpzFile") -> np.ndarray:
    shared = archive["header"].tobytes() if "header" in archive.files else b""
    data = archive["scan" if shared else "jpeg"].tobytes()
    images: np.ndarray | None = None
    offsets = archive["offsets"].tolist()
    for i, (begin, end) in enumerate(pairwise(offsets)):
        try:
            image, _ = decode(shared + data[begin:end])
        except UnreadableImageError as error:
            raise SourceError(f"image {i} of {path} is {error.reason}: get the file again") from error
        if images is None:
            images = np.empty((len(offsets) - 1, *image.shape), np.uint8)
        images[i] = image
    if images is None:
        raise SourceError(f"{path} holds no image: get the file again")
    return images
