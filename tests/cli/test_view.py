"""`coterie view`: where the page is, and a new one when it is gone."""

import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done

Command = Callable[..., Done]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


def test_the_page_is_opened_and_named(coterie: Command, run: Path, opened: list[str]) -> None:
    assert coterie("view", run) == (0, f"{run / 'page.html'}\n", "")
    assert opened == [(run / "page.html").as_uri()]


def test_without_a_browser_the_page_is_only_named(coterie: Command, run: Path, opened: list[str]) -> None:
    assert coterie("view", run, "--no-browser") == (0, f"{run / 'page.html'}\n", "")
    assert opened == []


def test_a_page_is_written_anew_when_it_is_missing_or_asked_for(coterie: Command, own_run: Path) -> None:
    page = own_run / "page.html"
    page.write_text("old")
    assert coterie("view", "run", "--no-browser").code == 0
    assert page.read_text() == "old"
    assert coterie("view", "run", "--no-browser", "--rebuild").code == 0
    assert "a/a00.png" in page.read_text()
    page.unlink()
    assert coterie("view", "run", "--no-browser").code == 0
    assert "a/a00.png" in page.read_text()


def test_a_run_that_moved_with_its_images_keeps_its_page_and_its_originals(coterie: Command, own_run: Path) -> None:
    Path("elsewhere").mkdir()
    Path("photos").rename("elsewhere/photos")
    moved = own_run.rename("elsewhere/run")
    assert coterie("view", moved, "--no-browser").out == f"{moved.resolve() / 'page.html'}\n"
    done = coterie("export", moved, "--to", "folders", "--out", "groups")
    assert done == (0, "exported 60 images to groups\n", "")
    link = Path("groups/group-00").resolve() / sorted(path.name for path in Path("groups/group-00").iterdir())[0]
    assert link.resolve().is_relative_to(Path("elsewhere/photos").resolve())


def test_a_folder_that_is_no_run_is_one_sentence(coterie: Command, opened: list[str]) -> None:
    done = coterie("view", ".")
    assert (done.code, done.error) == (2, ". is not a run of coterie: it has no run.json.")
    assert opened == []
