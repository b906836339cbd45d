"""What tests of several rooms share: the real image sets, and what the tests of the commands start from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done, make_photos, run_here

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder ``shared/data`` beside the checkout; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real image sets (shared/data beside the checkout) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images of three obvious kinds in a/, b/ and c/; only to be read, as all tests share them."""
    return make_photos(tmp_path_factory.mktemp("images") / "photos")


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache for decoded images, of all tests of commands together."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="session")
def made(stores: Path, photos: Path) -> tuple[Path, Done]:
    """A run of ``photos`` beside it, and what the command said; only to be read, as all tests share it."""
    run = photos.parent / "made"
    with pytest.MonkeyPatch.context() as patch:
        use_stores(patch, stores)
        done = run_here("cluster", photos, "--out", run, "-k", "3", "--map", "pca", "--classes", "folders")
    assert done.code == 0, done.err
    return run, done


@pytest.fixture
def run(made: tuple[Path, Done]) -> Path:
    """The finished run; only to be read."""
    return made[0]


@pytest.fixture
def own_run(run: Path, photos: Path, tmp_path: Path) -> Path:
    """A copy of the run and its photos in ``tmp_path``, to do anything with."""
    shutil.copytree(photos, tmp_path / "photos")
    return Path(shutil.copytree(run, tmp_path / "run"))


@pytest.fixture
def coterie(stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs a command in ``tmp_path``, inside this process."""
    use_stores(monkeypatch, stores)
    monkeypatch.chdir(tmp_path)
    return run_here


def finished_run(stores: Path, photos: Path, name: str, *options: str) -> tuple[Path, Done]:
    """The run folder ``name`` beside ``photos``, grouped by ``coterie cluster`` with ``options`` and scored by their
    folders, and what the command said.
    """
    run = photos.parent / name
    with pytest.MonkeyPatch.context() as patch:
        use_stores(patch, stores)
        done = run_here("cluster", photos, *options, "--out", run, "--classes", "folders")
    assert done.code == 0, done.err
    return run, done


def use_stores(patch: pytest.MonkeyPatch, stores: Path) -> None:
    """Compiled code stays where it is, or every test would compile it for 20 s."""
    from coterie.graphs import compiled

    patch.setenv("NUMBA_CACHE_DIR", str(compiled._cache_root()))
    patch.setenv("COTERIE_CACHE", str(stores))
