"""Image sets by name: the real ones where they are at hand, and every way a folder may fail to hold a set."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coterie.errors import ConfigError, SourceError
from coterie.evidence import datasets
from coterie.evidence.datasets import SETS, KnownSet, data_folder, load

RNG = np.random.default_rng(0)
TINY = KnownSet(6, 2, (1, 4, 5), "made for a test", "tiny.npz", ("tiny",))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of six images that the table of sets knows, and its test part of two."""
    monkeypatch.setitem(SETS, "tiny", TINY)
    monkeypatch.setitem(SETS, "tiny-test", KnownSet(2, 2, (1, 4, 5), "made", "tiny.npz", ("tiny",), test_only=True))


def pixels(n: int = 6, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, *(shape or (4, 5))), dtype=np.uint8)


def save(path: Path, **changes: object) -> np.ndarray:
    """An archive of the set ``tiny``, some arrays changed or left out (None); its images."""
    images = pixels()
    labels, split = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 0, 0, 1], np.int8)
    arrays = {"images": images, "labels": labels, "split": split} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
    return images


@pytest.mark.usefixtures("tiny")
def test_an_archive_gives_its_images_in_file_order(tmp_path: Path) -> None:
    images = save(tmp_path / "tiny.npz")
    data = load("tiny", tmp_path)
    assert np.array_equal(data.images, images[:, None])
    assert (data.name, data.n_clusters, data.note) == ("tiny", 2, "made for a test")
    assert data.images.dtype == np.uint8
    assert data.classes.dtype == np.int64
    assert data.classes.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.usefixtures("tiny")
def test_the_test_part_is_the_rows_that_the_split_marks(tmp_path: Path) -> None:
    images = save(tmp_path / "tiny.npz")
    data = load("tiny-test", tmp_path)
    assert np.array_equal(data.images[:, 0], images[[2, 5]])
    assert data.classes.tolist() == [0, 1]


@pytest.mark.usefixtures("tiny")
def test_images_are_stretched_to_the_size_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "tiny.npz", images=np.full((6, 4, 5), 77, np.uint8))
    images = load("tiny", tmp_path, (8, 3)).images
    assert images.shape == (6, 1, 8, 3)
    assert (images == 77).all()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": pixels(5)}, r"differ \(5, 6, 6\)"),
        ({"split": np.zeros(5, np.int8)}, r"differ \(6, 6, 5\)"),
        ({"labels": None}, "labels is not a file in the archive"),
        ({"images": None}, "jpeg is not a file in the archive"),
        ({"labels": np.array(["a"] * 6, dtype=object)}, "is damaged"),
        ({"images": pixels(6, 4, 4)}, "it has 6 images of 1 x 4 x 4 in 2 classes, and tiny has 6 images of 1 x 4 x 5"),
        ({"labels": np.arange(6)}, "in 6 classes, and tiny has"),
    ],
    ids=["images", "split", "no labels", "no images", "objects", "shape", "classes"],
)
def test_an_archive_of_something_else_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    save(tmp_path / "tiny.npz", **changes)
    with pytest.raises(SourceError, match=words) as error:
        load("tiny", tmp_path)
    assert "tiny.npz" in str(error.value)


@pytest.mark.usefixtures("tiny")
def test_a_torn_archive_is_named(tmp_path: Path) -> None:
    save(tmp_path / "tiny.npz")
    path = tmp_path / "tiny.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"tiny\.npz is damaged"):
        load("tiny", tmp_path)


@pytest.mark.usefixtures("tiny")
def test_a_test_part_needs_a_split(tmp_path: Path) -> None:
    save(tmp_path / "tiny.npz", split=None)
    with pytest.raises(SourceError, match="does not say which images are the test part"):
        load("tiny-test", tmp_path)


def jpeg(value: int) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    Image.new("RGB", (8, 8), (value, value, value)).save(buffer, "JPEG", quality=100)
    return buffer.getvalue()


@pytest.mark.parametrize("shared", [0, 100], ids=["whole files", "shared header"])
def test_an_archive_may_hold_jpeg_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: int) -> None:
    monkeypatch.setitem(SETS, "photos", KnownSet(2, 2, (3, 8, 8), "made", "photos.npz"))
    files = [jpeg(20), jpeg(230)]
    assert files[0][:shared] == files[1][:shared]
    scans = [np.frombuffer(file[shared:], np.uint8) for file in files]
    arrays = {"scan": np.concatenate(scans), "header": np.frombuffer(files[0][:shared], np.uint8)}
    if not shared:
        arrays = {"jpeg": arrays["scan"]}
    offsets = np.cumsum([0, *map(len, scans)])
    np.savez(tmp_path / "photos.npz", labels=np.arange(2), offsets=offsets, **arrays)  # type: ignore[arg-type]
    assert load("photos", tmp_path).images.mean(axis=(1, 2, 3)).round().tolist() == [20, 230]


def test_a_jpeg_that_cannot_be_read_is_named_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETS, "photos", KnownSet(2, 2, (3, 8, 8), "made", "photos.npz"))
    whole = jpeg(20)
    data = np.frombuffer(whole + whole[:-300], np.uint8)
    offsets = np.array([0, len(whole), len(data)])
    np.savez(tmp_path / "photos.npz", labels=np.arange(2), offsets=offsets, jpeg=data)
    with pytest.raises(SourceError, match=r"image 1 of .*photos\.npz is truncated"):
        load("photos", tmp_path)


def test_a_missing_set_is_one_sentence_that_says_what_was_expected_and_where(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        load("mnist-test", tmp_path)
    assert str(error.value) == (
        f"the set mnist-test is not in {tmp_path}: expected there mnist.npz, or train-images-idx3-ubyte and its three "
        "companions (.gz too) in mnist/, or a folder for each class in mnist-test/; name the folder that holds it with "
        "--data or COTERIE_DATA"
    )


def test_a_name_that_is_no_set_and_no_folder_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"the set minst is not known, and .*minst is not a folder: give one of digits"
    ):
        load("minst", tmp_path)
    with pytest.raises(ConfigError, match=r"'\.\./mine' is not a name"):
        load("../mine", tmp_path)


def write_folders(folder: Path) -> None:
    """Three images in b/ and three in a/, 5 x 6 pixels with nothing but the number of the image in the first row."""
    for number, kind in enumerate(("b", "a")):
        (folder / kind).mkdir(parents=True)
        for i in range(3):
            image = np.full((5, 6), 200, np.uint8)
            image[0] = 10 * number + i
            Image.fromarray(image).save(folder / kind / f"{i}.png")


def test_any_other_name_is_a_folder_for_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path_factory.mktemp("stores")))
    write_folders(tmp_path / "mine")
    data = load("mine", tmp_path)
    assert data.images.shape == (6, 1, 5, 6)
    assert data.images[:, 0, 0, 0].tolist() == [10, 11, 12, 0, 1, 2]
    assert data.classes.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.n_clusters == 2
    assert load("mine", tmp_path, (10, 10)).images.shape == (6, 1, 10, 10)


def test_folders_that_are_numbered_are_counted_as_people_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The persons of ORL are s1 to s40; a set that is made of them knows some by their number."""
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path_factory.mktemp("stores")))
    for number, name in ((1, "s1"), (2, "s2"), (10, "s10"), (11, "s10²")):
        (tmp_path / "mine" / name).mkdir(parents=True)
        image = np.array([[number, 255], [255, 255]], np.uint8)
        Image.fromarray(image).save(tmp_path / "mine" / name / "1.png")
    data = load("mine", tmp_path)
    assert dict(zip(data.classes.tolist(), data.images[:, 0, 0, 0].tolist(), strict=True)) == {0: 1, 1: 2, 2: 10, 3: 11}


def test_a_known_set_may_be_a_folder_for_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path_factory.mktemp("stores")))
    monkeypatch.setitem(SETS, "tiny", KnownSet(6, 2, (1, 5, 6), "made"))
    write_folders(tmp_path / "tiny")
    assert load("tiny", tmp_path).images.shape == (6, 1, 5, 6)


@pytest.mark.filterwarnings("ignore::coterie.errors.SkippedImagesWarning")
def test_folders_with_holes_or_without_classes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path_factory.mktemp("stores")))
    write_folders(tmp_path / "mine")
    (tmp_path / "mine/a/torn.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"1 files of .*mine cannot be read as images \(a/torn\.png: empty\)"):
        load("mine", tmp_path)
    write_folders(tmp_path / "flat")
    (tmp_path / "flat/a").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="lie in one folder"):
        load("flat", tmp_path)


def test_digits_need_no_folder() -> None:
    data = load("digits", Path("nowhere"))
    assert data.images.shape == (1797, 1, 8, 8)
    assert (data.images.min(), data.images.max()) == (0, 255)


def test_the_folder_is_the_one_given_then_that_of_the_environment_then_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTERIE_DATA", raising=False)
    assert data_folder() == Path("data")
    monkeypatch.setenv("COTERIE_DATA", "sets")
    assert data_folder() == Path("sets")
    assert data_folder(Path("mine")) == Path("mine")


def test_the_docstring_lists_every_set_with_its_facts() -> None:
    lines = [line.split() for line in (datasets.__doc__ or "").splitlines()]
    listed = {words[0]: words[1:8] for words in lines if words and words[0] in SETS}
    facts = {
        name: [f"{known.n:,}", str(known.n_clusters), *" x ".join(map(str, known.shape)).split()]
        for name, known in SETS.items()
    }
    assert listed == facts


@pytest.mark.parametrize("name", [name for name, known in SETS.items() if known.archive])
def test_the_real_set_is_what_its_name_promises(name: str, shared_data: Path) -> None:
    """``load`` itself checks number, shape and classes."""
    data = load(name, shared_data)
    assert data.images.flags.c_contiguous
    assert data.images.std() > 10
    assert (np.diff(data.classes) >= 0).all() == (data.name in {"orl", "orl-32", "coil-20", "cmu-pie"})
