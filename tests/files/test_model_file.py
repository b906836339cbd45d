"""Model folders written and read back; the refusals stand in tests/faults/test_model_files.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import ModelFileError, OutputError
from coterie.files.model_file import read_model, write_model


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_integer_tensors_read_back(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    check_round_trip(tmp_path, np.random.default_rng(0).integers(0, 2, shape).astype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_float_tensors_read_back_also_from_other_byte_orders_and_views(tmp_path: Path, dtype: str) -> None:
    check_round_trip(tmp_path, np.random.default_rng(0).normal(size=(4, 6)).astype(dtype))
    check_round_trip(tmp_path, np.random.default_rng(0).normal(size=(4, 6)).astype(dtype).T[::2])


def check_round_trip(folder: Path, array: np.ndarray) -> None:
    write_model(folder / "m", "kmeans", {}, {"x": array, "odd": np.ones(3, np.uint8)})
    read = read_model(folder / "m").tensors["x"]
    assert read.shape == array.shape
    assert read.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array)


def test_settings_and_extra_read_back(tmp_path: Path) -> None:
    config = {"n_clusters": np.int64(3), "scale": "local", "alpha": 0.5, "sizes": [1, 2], "nothing": None}
    write_model(tmp_path / "deep" / "m", "gdl", config, {}, {"classes": ["é", "b"]})
    model = read_model(tmp_path / "deep" / "m")
    assert model.kind == "gdl"
    assert model.config == {**config, "n_clusters": 3}
    assert model.extra == {"classes": ["é", "b"]}
    assert model.tensors == {}
    assert sorted(path.name for path in (tmp_path / "deep" / "m").iterdir()) == ["model.json", "model.safetensors"]


def test_the_file_is_plain_safetensors_for_other_programs(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    tensors = {"bytes": np.arange(3, dtype=np.uint8), "wide": np.arange(6.0).reshape(2, 3)}
    write_model(tmp_path / "m", "gdl", {}, tensors)
    for name, array in load_file(tmp_path / "m" / "model.safetensors").items():
        np.testing.assert_array_equal(array, tensors[name])


def test_a_new_model_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    for value in (1, 2):
        write_model(tmp_path / "m", "gdl", {"value": value}, {"x": np.full(2, value)})
    assert read_model(tmp_path / "m").config == {"value": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_an_empty_folder_is_filled_and_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    write_model(folder, "gdl", {}, {})
    (folder / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"holiday\.jpg"):
        write_model(folder, "gdl", {}, {})
    with pytest.raises(OutputError, match="it is a file"):
        write_model(folder / "holiday.jpg", "gdl", {}, {})
    assert (folder / "holiday.jpg").read_bytes() == b"x"


def test_a_kill_between_the_two_renames_leaves_the_old_model_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "m", "gdl", {"value": 1}, {})
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_model(tmp_path / "m", "gdl", {"value": 2}, {})
    monkeypatch.undo()
    assert read_model(tmp_path / "m").config == {"value": 1}
    write_model(tmp_path / "m", "gdl", {"value": 3}, {})
    assert read_model(tmp_path / "m").config == {"value": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    "array", [np.array(["a"]), np.array([{}], object), np.array([1j])], ids=["text", "object", "c"]
)
def test_tensors_that_are_not_numbers_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ModelFileError, match="'x' has dtype"):
        write_model(tmp_path / "m", "gdl", {}, {"x": array})
    assert not list(tmp_path.iterdir())


def test_a_model_with_nan_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="'x' holds NaN"):
        write_model(tmp_path / "m", "gdl", {}, {"x": np.array([1.0, np.nan])})
    with pytest.raises(OutputError, match="NaN"):
        write_model(tmp_path / "m", "gdl", {"alpha": float("nan")}, {})
    assert not list(tmp_path.iterdir())


def test_the_description_names_format_version_shapes_and_checksum(tmp_path: Path) -> None:
    write_model(tmp_path / "m", "gdl", {}, {"x": np.zeros((2, 3), np.float32)})
    description = json.loads((tmp_path / "m" / "model.json").read_text())
    assert description["format"] == "coterie model"
    assert description["format_version"] == 1
    assert description["tensors"] == {"x": {"shape": [2, 3], "dtype": "float32"}}
    assert len(description["sha256"]) == 64
