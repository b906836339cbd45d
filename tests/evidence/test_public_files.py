"""Files as they are published: idx, and both versions of CIFAR-10, the pickled one without being run."""

import gzip
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import SourceError
from coterie.evidence.cifar_files import BATCHES, read_cifar, read_python_batch
from coterie.evidence.datasets import SETS, KnownSet, load
from coterie.evidence.idx_files import read_idx, read_idx_set
from coterie.evidence.pickled import plain_values

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_idx(folder: Path, *, zipped: bool = False, dash: str = "-") -> dict[str, np.ndarray]:
    """Four files of 3 training and 2 test images."""
    folder.mkdir(parents=True)
    arrays = {}
    for part, n in (("train", 3), ("t10k", 2)):
        arrays[f"{part}-images{dash}idx3-ubyte"] = RNG.integers(0, 256, (n, 4, 5), dtype=np.uint8)
        arrays[f"{part}-labels{dash}idx1-ubyte"] = np.arange(n, dtype=np.uint8)
    for name, array in arrays.items():
        data = idx(array)
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(data) if zipped else data)
    return arrays


@pytest.mark.parametrize(("zipped", "dash"), [(False, "-"), (True, "-"), (True, ".")])
def test_idx_files_give_train_then_test(tmp_path: Path, zipped: bool, dash: str) -> None:
    arrays = list(write_idx(tmp_path / "mnist", zipped=zipped, dash=dash).values())
    rows = read_idx_set(tmp_path / "mnist")
    assert rows is not None
    assert np.array_equal(rows.images[:, 0], np.concatenate([arrays[0], arrays[2]]))
    assert rows.classes.tolist() == [0, 1, 2, 0, 1]
    test = read_idx_set(tmp_path / "mnist", test_only=True)
    assert test is not None
    assert np.array_equal(test.images[:, 0], arrays[2])


@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw"])
def test_a_set_is_found_in_its_folder_of_idx_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setitem(SETS, "mnist-test", KnownSet(2, 2, (1, 4, 5), "", "mnist.npz", SETS["mnist"].folders, True))
    write_idx(tmp_path / folder)
    assert load("mnist-test", tmp_path).images.shape == (2, 1, 4, 5)


def test_a_folder_without_idx_files_is_none_and_one_with_some_is_refused(tmp_path: Path) -> None:
    assert read_idx_set(tmp_path) is None
    names = list(write_idx(tmp_path / "mnist"))
    (tmp_path / "mnist" / names[3]).unlink()
    with pytest.raises(SourceError, match="has no t10k-labels-idx1-ubyte"):
        read_idx_set(tmp_path / "mnist")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: b"\x00\x00\x0d" + data[3:], "not an idx file of unsigned bytes"),
        (lambda data: b"", "not an idx file of unsigned bytes"),
        (lambda data: data[:6], "its header gives the shape"),
        (lambda data: data[:4] + b"\xff" * 12, "its header gives the shape"),
        (lambda data: data[:-1], "shorter than the 60 bytes"),
        (lambda data: data + b"0", "longer than the 60 bytes"),
    ],
    ids=["floats", "empty", "torn header", "huge", "short", "long"],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_damaged_idx_file_is_refused(
    tmp_path: Path, spoil: Callable[[bytes], bytes], words: str, zipped: bool
) -> None:
    data = spoil(idx(np.zeros((3, 4, 5), np.uint8)))
    path = tmp_path / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(SourceError, match=words):
        read_idx(path)


def test_a_torn_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(RNG.integers(0, 256, (3, 40, 50), dtype=np.uint8)))[:-200])
    with pytest.raises(SourceError, match="cannot be read"):
        read_idx(path)


def test_labels_in_the_place_of_images_are_refused(tmp_path: Path) -> None:
    names = list(write_idx(tmp_path / "mnist"))
    (tmp_path / "mnist" / names[0]).write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(SourceError, match="has 1 axes, not the 3 of images"):
        read_idx_set(tmp_path / "mnist")


def batch(i: int) -> tuple[np.ndarray, list[int]]:
    """Four images (4, 3072) and their classes."""
    return np.random.default_rng(i).integers(0, 256, (4, 3072), dtype=np.uint8), [i % 10, 1, 2, 3]


def binary(i: int) -> bytes:
    images, labels = batch(i)
    return np.concatenate([np.array(labels, np.uint8)[:, None], images], axis=1).tobytes()


def python_two(i: int) -> bytes:
    """A batch as Python 2 wrote it: byte strings everywhere, protocol 2; assembled by hand, since nothing writes it
    any more."""
    images, labels = batch(i)

    def text(value: bytes) -> bytes:
        return (
            b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + len(value).to_bytes(4, "little") + value
        )

    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    dtype = b"cnumpy\ndtype\nq\x07" + text(b"u1") + b"K\x00K\x01\x87Rq\x08"
    dtype += b"(K\x03" + text(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85" + text(b"b") + b"\x87Rq\x05"
    array += b"(K\x01K\x04M\x00\x0c\x86" + dtype + b"\x89" + text(images.tobytes()) + b"tb"
    items = text(b"batch_label") + text(b"training batch") + text(b"labels") + b"]q\x02(" + numbers + b"e"
    items += text(b"data") + array + text(b"filenames") + b"](" + text(b"a.png") * 4 + b"e"
    return b"\x80\x02}q\x01(" + items + b"u."


def python_three(i: int, protocol: int) -> bytes:
    images, labels = batch(i)
    return pickle.dumps({b"data": images, b"labels": labels, b"batch_label": b"x"}, protocol=protocol)


def python_text(i: int, protocol: int) -> bytes:
    images, labels = batch(i)
    return pickle.dumps({"data": images, "labels": labels}, protocol=protocol)


WRITERS: dict[str, Callable[[int], bytes]] = {"python 2": python_two, "protocol 2": lambda i: python_text(i, 2)}
WRITERS |= {"protocol 3": lambda i: python_text(i, 3), "protocol 4": lambda i: python_text(i, 4)}


def test_the_batch_made_by_hand_is_one_that_python_loads() -> None:
    content = pickle.loads(python_two(1), encoding="latin1")
    assert np.array_equal(content["data"], batch(1)[0])
    assert content["labels"] == batch(1)[1]


@pytest.mark.parametrize("version", ["binary", *WRITERS])
def test_every_version_of_cifar_gives_the_same_images(tmp_path: Path, version: str) -> None:
    for i, name in enumerate(BATCHES):
        data = binary(i) if version == "binary" else WRITERS[version](i)
        (tmp_path / (f"{name}.bin" if version == "binary" else name)).write_bytes(data)
    rows = read_cifar(tmp_path)
    assert rows is not None
    assert np.array_equal(rows.images.reshape(24, -1), np.concatenate([batch(i)[0] for i in range(6)]))
    assert rows.classes.tolist() == [label for i in range(6) for label in batch(i)[1]]


def test_cifar_is_found_in_the_folder_of_either_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETS, "cifar-10", KnownSet(24, 6, (3, 32, 32), "made", None, SETS["cifar-10"].folders))
    for version in ("bin", "py"):
        folder = tmp_path / version / f"cifar-10-batches-{version}"
        folder.mkdir(parents=True)
        for i, name in enumerate(BATCHES):
            (folder / (f"{name}.bin" if version == "bin" else name)).write_bytes(
                binary(i) if version == "bin" else python_two(i)
            )
    first, second = (load("cifar-10", tmp_path / version) for version in ("bin", "py"))
    assert np.array_equal(first.images, second.images)
    assert np.array_equal(first.classes, second.classes)


def test_missing_and_torn_batches_are_named(tmp_path: Path) -> None:
    assert read_cifar(tmp_path) is None
    (tmp_path / "data_batch_1.bin").write_bytes(binary(1))
    with pytest.raises(SourceError, match=r"has no data_batch_2\.bin, .*test_batch\.bin"):
        read_cifar(tmp_path)
    for name in BATCHES:
        (tmp_path / f"{name}.bin").write_bytes(binary(1)[:-1])
    with pytest.raises(SourceError, match=r"data_batch_1\.bin is not a batch of CIFAR-10: its 12,291 bytes"):
        read_cifar(tmp_path)


class Harmful:
    """Its pickle calls a function when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("import builtins; builtins.harmed = True",)


@pytest.mark.parametrize("place", ["whole", "data", "labels"])
def test_a_harmful_pickle_is_refused_and_never_run(tmp_path: Path, place: str) -> None:
    import builtins

    content = {"data": batch(0)[0], "labels": batch(0)[1]}
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(Harmful() if place == "whole" else content | {place: Harmful()}, protocol=2))
    assert b"builtins" in path.read_bytes()
    with pytest.raises(SourceError, match=r"not a batch of CIFAR-10 .* take the binary version"):
        read_python_batch(path)
    assert not hasattr(builtins, "harmed")


@pytest.mark.parametrize("other", [np.zeros((2, 3072)), np.asfortranarray(np.zeros((2, 3072), np.uint8)), [1], None])
def test_a_pickle_of_something_else_is_refused(tmp_path: Path, other: object) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": other, "labels": [0, 1]}, protocol=2))
    with pytest.raises(SourceError, match="not a batch of CIFAR-10"):
        read_python_batch(path)


def test_a_pickle_cut_anywhere_is_refused_and_never_crashes() -> None:
    data = pickletools.optimize(python_two(1).replace(batch(1)[0].tobytes(), b"x" * 12288))
    for end in [*range(0, 120), *range(len(data) - 120, len(data))]:
        with pytest.raises(ValueError, match=r"."):
            plain_values(data[:end])


@pytest.mark.parametrize(
    "program", [b"0.", b"t.", b"}K\x01b.", b"Na.", b"\x85.", b"h\x05.", b"}(N(tu.", b"}()Nu.", b"N)R.", b"any text"]
)
def test_a_program_of_nonsense_is_a_value_error(program: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        plain_values(b"\x80\x02" + program)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_values_come_back_as_they_were(protocol: int) -> None:
    value = {"a": [1, -2, 300, 70_000, 2**40], "b": (), "c": ("x", True, False, None), "d": {"e": [[], {}]}, "f": "é"}
    assert plain_values(pickle.dumps(value, protocol=protocol)) == value
