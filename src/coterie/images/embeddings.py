"""Features that somebody else computed: a file with one row per image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.errors import ConfigError, ModelFileError
from coterie.images.extractor import AnyPath, Images, Rows, check_features, not_fitted, parts, progress_bar, unit_rows

NAME = "embeddings"
KEYS = ("embedding", "embeddings", "features")


class Embeddings:
    """The rows of a .npy or .npz file, (n, d) with d >= 2, brought to unit length; their mean is left as it is.

    The rows stand in the order of the images. New images need a file of their own: ``transform(store, path)``.
    """

    name = NAME

    def __init__(self, path: AnyPath) -> None:
        self.path: Path | None = Path(path)
        self.width: int | None = None
        read_rows(self.path)  # a wrong file is refused here, before any image is decoded

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d) float32 from the file given at the start; ConfigError when it does not fit the n images."""
        if self.path is None:
            raise ConfigError("embeddings can only be fitted from a file; give its path as features")
        rows = self._rows(self.path, store, progress)
        # The file belongs to these images; new ones must not be given its rows by mistake.
        self.width, self.path = rows.shape[1], None
        return rows

    def transform(self, store: Images, path: AnyPath | None = None, *, progress: bool = False) -> Rows:
        """(n, d) float32 for new images from their own file; ConfigError without one or when d is another."""
        if self.width is None:
            raise not_fitted(self.name)
        given = path or self.path
        if given is None:
            raise ConfigError(
                "this model was fitted on given embeddings and cannot compute them; "
                "pass the embeddings of the new images too, as another .npy file: --features new.npy, "
                "or in Python coterie.load(folder, features='new.npy')"
            )
        return self._rows(Path(given), store, progress)

    def _rows(self, path: Path, store: Images, progress: bool) -> Rows:
        values = read_rows(path)
        check_features(values, len(store), str(path))
        if self.width not in {None, values.shape[1]}:
            raise ConfigError(
                f"{path} holds {values.shape[1]} numbers per image and the model was fitted on {self.width}; "
                "compute them with the same network"
            )
        with progress_bar(len(values), progress) as bar:
            rows = unit_rows((scaled(values[part]) for part in parts(*values.shape)), values.shape)
            bar.update(len(rows))
        return rows

    def config(self) -> dict[str, Any]:
        """Name and width; the path is not kept, as the file belongs to the fitted images only."""
        if self.width is None:
            raise not_fitted(self.name)
        return {"name": self.name, "width": self.width}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Nothing is learned."""
        return {}

    @classmethod
    def from_saved(cls, config: Mapping[str, Any], path: AnyPath | None) -> "Embeddings":
        """Ready to transform new images whose rows are in ``path``; without one ``transform`` must be given it."""
        width = config.get("width")
        if not isinstance(width, int) or width < 2:
            raise ModelFileError(f"the model was fitted on embeddings of width {width!r}, expected an integer >= 2")
        extractor = cls.__new__(cls)
        extractor.path, extractor.width = (None if path is None else Path(path)), width
        return extractor


def scaled(values: NDArray[Any]) -> NDArray[np.float64]:
    """(b, d) as float64 with each row's largest number brought to 1, so that no length over- or underflows."""
    wide = values.astype(np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True)
    return wide / np.where(largest > 0, largest, 1.0)


def read_rows(path: Path) -> NDArray[Any]:
    """The array of a .npy (memory-mapped) or .npz file as it is stored; ConfigError in one sentence, never a pickle."""
    try:
        arrays = archived(path)
        if arrays is None:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
    except OSError as error:
        what = error.strerror or str(error)
        raise ConfigError(f"{path} cannot be read as embeddings: {what}; give the path of a .npy file") from error
    except Exception as error:  # a damaged header or zip raises nearly anything
        # NumPy's own words advise to load pickles, which is exactly what nobody should do with a file they were given
        raise ConfigError(
            f"{path} is not a whole .npy or .npz file of numbers; save the rows as (n, d) floats with numpy.save"
        ) from error
    return pick(path, arrays)


def archived(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a .npz by name, None for any other file, told apart by the first bytes as numpy does."""
    with path.open("rb") as file:  # numpy leaves a file it opened itself open when the zip is damaged
        if file.read(4) != b"PK\x03\x04":
            return None
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}


def pick(path: Path, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The array meant among those of a .npz: the only one, or the one under a usual name."""
    named = [key for key in KEYS if key in arrays] or list(arrays)
    if len(named) != 1:
        raise ConfigError(f"{path} holds the arrays {sorted(arrays)}; expected one array, or one named embedding")
    return arrays[named[0]]
