"""Model folders: ``model.safetensors`` beside ``model.json``.

The numbers lie in safetensors, which holds nothing but numbers; everything else is JSON. Reading one therefore never
runs code, and the checksum of the tensors stands in the JSON, so a damaged file is told from a good one before anything
is built from it.
"""

import hashlib
import json
import logging
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from coterie.errors import ModelFileError, OutputError
from coterie.files.atomic import flush_tree, write_json
from coterie.files.folders import PARTIAL, explain, make_folder

FORMAT = "coterie model"
FORMAT_VERSION = 1
JSON_NAME = "model.json"
TENSORS_NAME = "model.safetensors"
_JSON_LIMIT = 64 * 2**20  # bytes; a settings file is a few thousand, so more is somebody's attempt to fill the memory
_DTYPES = {  # NumPy's name -> safetensors' name
    "bool": "BOOL",
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "uint16": "U16",
    "int32": "I32",
    "uint32": "U32",
    "int64": "I64",
    "uint64": "U64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin")
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # pickle protocols; torch's zip
_PICKLE_REFUSAL = "is not a model of coterie; pickle files are never loaded: give the folder that save() wrote."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFile:
    """What a model folder holds: the ``kind`` of model, its settings, its arrays by name, and anything else in JSON."""

    kind: str
    config: dict[str, Any]
    tensors: dict[str, np.ndarray]
    extra: dict[str, Any] = field(default_factory=dict)


def write_model(
    folder: Path,
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model folder that appears complete or not at all; an older model in ``folder`` is replaced.

    ``tensors`` are arrays of booleans, integers or floats. Raises ModelFileError when one holds NaN, OutputError when
    the disk is full or ``folder`` holds something other than a model (which is never deleted).
    """
    arrays = {name: _storable(name, array) for name, array in tensors.items()}
    _refuse_other_content(folder)
    make_folder(folder.parent)
    building = folder.with_name(f".{folder.name[:40]}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        building.mkdir()
        _save_tensors(building / TENSORS_NAME, arrays)
        write_json(building / JSON_NAME, _describe(building / TENSORS_NAME, kind, config, arrays, extra))
        flush_tree(building)
        _swap(building, folder)
    except OSError as error:
        raise explain(folder, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def read_model(folder: Path) -> ModelFile:
    """The model in ``folder``, checked against its checksum and shapes.

    Raises ModelFileError, in one sentence, for anything that is not a whole model of this or an older release.
    """
    folder = _locate(folder)
    description = _read_description(folder)
    tensors = _read_tensors(folder / TENSORS_NAME, description)
    _check_tensors(folder, tensors, description["tensors"])
    return ModelFile(description["kind"], description["config"], tensors, description["extra"])


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.name not in _DTYPES:
        raise ModelFileError(
            f"tensor {name!r} has dtype {array.dtype}; a model holds booleans, integers and floats only."
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ModelFileError(f"tensor {name!r} holds NaN; the model was not saved because it would answer nonsense.")
    # safetensors is little-endian; ascontiguousarray alone would turn a scalar into one row.
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def _refuse_other_content(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"cannot write a model to {folder}: it is a file; choose another folder.")
    others = sorted(path.name for path in folder.iterdir() if path.name not in (JSON_NAME, TENSORS_NAME))
    if others:
        raise OutputError(
            f"cannot write a model to {folder}: it holds other files ({others[0]}), which would be lost; "
            "choose another folder."
        )


def _save_tensors(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes safetensors tensor by tensor: the package's own writer copies them all and hides why the disk refused."""
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))  # widest first keeps each one aligned
    header, end = {}, 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": _DTYPES[arrays[name].dtype.name],
            "shape": arrays[name].shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(arrays[name].reshape(-1).view(np.uint8).data)


def _describe(
    path: Path, kind: str, config: Mapping[str, Any], arrays: dict[str, np.ndarray], extra: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "coterie": release(),
        "kind": kind,
        "config": dict(config),
        "extra": dict(extra or {}),
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
        "tensors": {name: {"shape": list(a.shape), "dtype": a.dtype.name} for name, a in arrays.items()},
    }


def _swap(building: Path, folder: Path) -> None:
    """Puts ``building`` in the place of ``folder``; at each moment one whole model can be found by ``read_model``."""
    previous = _previous(folder)
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    building.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


def _previous(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous")


def release() -> str:
    """The installed version of coterie, for files to name their writer."""
    with suppress(PackageNotFoundError):
        return version("coterie")
    return "unknown"


def _locate(folder: Path) -> Path:
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelFileError(f"{folder} {_file_refusal(folder)}")
    if (_previous(folder) / JSON_NAME).is_file():
        logger.warning("%s was being replaced when a run was killed; the model before it is used.", folder)
        return _previous(folder)
    raise ModelFileError(f"{folder} does not exist; expected a model folder written by save().")


def _file_refusal(path: Path) -> str:
    with suppress(OSError):
        if path.suffix.lower() in _PICKLES or _is_pickled(path):
            return _PICKLE_REFUSAL
    if path.name in (JSON_NAME, TENSORS_NAME):
        return "is one file of a model; give the folder that holds it."
    return "is a file, not a model folder of coterie; give the folder that save() wrote."


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / JSON_NAME
    if not path.is_file():
        raise ModelFileError(f"{folder} {_folder_refusal(folder)}")
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise ModelFileError(f"{path} is far too large for a model's settings; the model is foreign or damaged.")
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}; check its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: it is not JSON ({error}); restore it or train again.") from error
    _check_description(folder, description)
    return dict(description)


def _folder_refusal(folder: Path) -> str:
    if (folder / "run.json").is_file():
        return f"is a run folder; its model lies in {folder / 'model'}."
    if any(path.suffix.lower() in _PICKLES for path in folder.iterdir()):
        return _PICKLE_REFUSAL
    return f"is not a model folder: it has no {JSON_NAME}; give the folder that save() wrote."


def _check_description(folder: Path, description: object) -> None:
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ModelFileError(f"{folder} holds a {JSON_NAME} of another program; give a folder that coterie wrote.")
    number = description.get("format_version")
    if isinstance(number, int) and number > FORMAT_VERSION:
        raise ModelFileError(
            f"{folder} was written by coterie {description.get('coterie', '?')} (format {number}); "
            f"this is {release()} (reads formats up to {FORMAT_VERSION}): upgrade coterie."
        )
    types = {
        "format_version": int,
        "kind": str,
        "config": dict,
        "extra": dict,
        "bytes": int,
        "sha256": str,
        "tensors": dict,
    }
    wrong = [key for key, kind in types.items() if not isinstance(description.get(key), kind)]
    if wrong:
        raise ModelFileError(
            f"{folder / JSON_NAME} is damaged: {wrong[0]!r} is missing or of the wrong type; restore it or train again."
        )


def _read_tensors(path: Path, description: dict[str, Any]) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        _check_file(path, description)
        return dict(load_file(path))
    except FileNotFoundError as error:
        raise ModelFileError(f"{path} is missing; the model is not complete: copy the whole folder again.") from error
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}; check its permissions.") from error
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{path} is not a safetensors file ({error}); restore the model or train again."
        ) from error


def _check_file(path: Path, description: dict[str, Any]) -> None:
    """Size and checksum, before anything inside is believed."""
    size, expected = path.stat().st_size, description["bytes"]
    if size == expected and _sha256(path) == description["sha256"]:
        return
    if _is_pickled(path):
        raise ModelFileError(f"{path} {_PICKLE_REFUSAL}")
    if size < expected:
        raise ModelFileError(f"{path} is truncated ({size} of {expected} bytes); copy the model again or restore it.")
    raise ModelFileError(f"{path} is damaged: its sha256 differs from the one in {JSON_NAME}; restore the model.")


def _is_pickled(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file starts with the length of its header, which may look like a pickle by chance, and then a brace.
    return start.startswith(_PICKLE_STARTS) and start[8:] != b"{"


def _check_tensors(folder: Path, tensors: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    if tensors.keys() != expected.keys():
        name = sorted(tensors.keys() ^ expected.keys())[0]
        raise ModelFileError(
            f"{folder} is damaged: its two files disagree about the tensor {name!r}; restore it or train again."
        )
    for name, array in tensors.items():
        promised = expected[name].get("shape") if isinstance(expected[name], dict) else None
        if list(array.shape) != promised:
            raise ModelFileError(
                f"{folder} is damaged: tensor {name!r} has shape {list(array.shape)}, {JSON_NAME} says {promised}; "
                "restore it or train again."
            )
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ModelFileError(f"{folder} is damaged: tensor {name!r} holds NaN; restore it or train again.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
