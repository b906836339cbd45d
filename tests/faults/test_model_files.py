"""Rows 47 and 48 of the fault table: every model that is not whole and ours is refused in one sentence."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import ModelFileError
from coterie.files.model_file import read_model, write_model

CANARY = "canary-of-a-malicious-pickle"


class Malicious:
    """Unpickling it creates a file: proof that code ran."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.touch, (self.target / CANARY,))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    write_model(folder, "kmeans", {"n_clusters": 3}, {"centers": np.arange(12, dtype=np.float32).reshape(3, 4)})
    return folder


def refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    assert "is not a model folder: it has no model.json" in refusal(tmp_path)


def test_a_run_folder_offered_as_model_points_to_the_model_inside(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert str(tmp_path / "model") in refusal(tmp_path)


def test_one_file_of_a_model_offered_alone_asks_for_its_folder(model: Path) -> None:
    assert "give the folder that holds it" in refusal(model / "model.safetensors")
    assert "give the folder that holds it" in refusal(model / "model.json")


@pytest.mark.parametrize("text", ["", "{", "\x00\xff", "[" * 100_000, '{"a": ' * 50_000])
def test_a_description_that_is_not_json_is_damaged(model: Path, text: str) -> None:
    (model / "model.json").write_text(text)
    assert "is damaged: it is not JSON" in refusal(model)


def test_a_description_that_would_fill_the_memory_is_never_read(model: Path) -> None:
    with (model / "model.json").open("r+b") as file:
        file.truncate(10 * 2**30)  # sparse: takes no room on the disk
    assert "far too large" in refusal(model)


@pytest.mark.parametrize("text", ["[]", "3", '{"model_type": "bert"}', '{"format": "other"}'])
def test_a_model_of_another_program_is_foreign(model: Path, text: str) -> None:
    (model / "model.json").write_text(text)
    assert "another program" in refusal(model)


def test_a_newer_model_says_which_release_wrote_it_and_to_upgrade(model: Path) -> None:
    edit(model, format_version=4, coterie="2.3.0")
    text = refusal(model)
    assert "written by coterie 2.3.0 (format 4)" in text
    assert "reads formats up to 1" in text
    assert "upgrade" in text


@pytest.mark.parametrize(
    "changes",
    [{"config": None}, {"kind": 3}, {"tensors": []}, {"sha256": None}, {"bytes": "x"}, {"format_version": "1"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_description_with_a_missing_or_wrong_entry_is_damaged(model: Path, changes: dict[str, object]) -> None:
    edit(model, **changes)
    assert f"is damaged: {next(iter(changes))!r} is missing or of the wrong type" in refusal(model)


def test_missing_tensors_are_named(model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refusal(model)


@pytest.mark.parametrize("keep", [0, 1, 7, 50, -1])
def test_a_truncated_model_is_refused(model: Path, keep: int) -> None:
    path = model / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    assert f"is truncated ({len(data[:keep])} of {len(data)} bytes)" in refusal(model)


def test_one_flipped_bit_anywhere_in_the_tensors_is_found(model: Path) -> None:
    path = model / "model.safetensors"
    data = bytearray(path.read_bytes())
    for position in range(0, len(data), 7):
        data[position] ^= 1
        path.write_bytes(data)
        assert "sha256 differs" in refusal(model)
        data[position] ^= 1


def test_bytes_behind_the_end_are_found(model: Path) -> None:
    with (model / "model.safetensors").open("ab") as file:
        file.write(b"more")
    assert "sha256 differs" in refusal(model)


def test_a_tensor_of_the_wrong_shape_is_refused(model: Path) -> None:
    edit(model, tensors={"centers": {"shape": [4, 3], "dtype": "float32"}})
    assert "tensor 'centers' has shape [3, 4], model.json says [4, 3]" in refusal(model)
    edit(model, tensors={"centers": [3, 4]})
    assert "damaged" in refusal(model)


def test_tensors_that_were_added_or_lost_are_refused(model: Path) -> None:
    edit(model, tensors={})
    assert "disagree about the tensor 'centers'" in refusal(model)


def test_a_tensor_with_nan_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A release with a fault could have written it, with its checksum in order.
    monkeypatch.setattr("coterie.files.model_file._storable", lambda name, array: array)
    write_model(model, "kmeans", {}, {"centers": np.array([[1.0, np.nan]])})
    assert "tensor 'centers' holds NaN" in refusal(model)


def test_tensors_that_are_not_safetensors_are_refused_even_with_the_right_checksum(model: Path) -> None:
    import hashlib

    for data in (b"", b"\xff" * 64, (10).to_bytes(8, "little") + b"{}", (2**60).to_bytes(8, "little") + b"{}"):
        (model / "model.safetensors").write_bytes(data)
        edit(model, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        assert "is not a safetensors file" in refusal(model)


def write_malicious(path: Path, target: Path) -> None:
    path.write_bytes(pickle.dumps(Malicious(target)))


def write_malicious_zip(path: Path, target: Path) -> None:
    """The shape of a file of torch.save: a zip with a pickle inside."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Malicious(target)))


@pytest.mark.parametrize("write", [write_malicious, write_malicious_zip], ids=["pickle", "torch zip"])
@pytest.mark.parametrize("name", ["model.pkl", "weights.pt", "weights.pth", "no-suffix", "model.safetensors"])
def test_a_pickle_offered_as_a_model_is_never_loaded(
    tmp_path: Path, model: Path, write: Callable[[Path, Path], None], name: str
) -> None:
    write(tmp_path / "proof", tmp_path)
    assert "pickle files are never loaded" in refusal_of_copy(tmp_path / "proof", tmp_path / name)
    assert "pickle files are never loaded" in refusal_of_copy(tmp_path / "proof", model / "model.safetensors", model)
    assert not (tmp_path / CANARY).exists()


def refusal_of_copy(source: Path, copy: Path, offered: Path | None = None) -> str:
    copy.write_bytes(source.read_bytes())
    return refusal(offered or copy)


def test_a_folder_of_pickles_is_refused_as_such(tmp_path: Path) -> None:
    write_malicious(tmp_path / "pytorch_model.bin", tmp_path)
    assert "pickle files are never loaded" in refusal(tmp_path)
    assert not (tmp_path / CANARY).exists()


def test_a_header_whose_length_looks_like_a_pickle_still_loads(tmp_path: Path) -> None:
    # 0x0280, 0x0380, ... as the first two bytes of a safetensors file are also how pickles start.
    starts = set()
    for size in range(1, 14):
        tensors = {f"t{i:02d}": np.zeros(1, np.float32) for i in range(size)}
        for padding in range(0, 64, 8):
            named = {**tensors, "x" * (padding + 1): np.zeros(1, np.float32)}
            write_model(tmp_path / "m", "kmeans", {}, named)
            starts.add((tmp_path / "m" / "model.safetensors").read_bytes()[:2])
            assert read_model(tmp_path / "m").tensors.keys() == named.keys()
    assert b"\x80\x02" in starts


def test_a_folder_that_cannot_be_read_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **kwargs: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    assert "Permission denied" in refusal(model)
