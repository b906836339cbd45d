"""A run folder with everything on it, its page, and one browser for all tests of the page."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coterie.report import write_page
from report.browser import Browser, missing
from report.run_maker import blobs, make_run

WICKED = [
    "<script>window.hacked = 1</script>.png",
    "</script><img src=x onerror=window.hacked=2>.png",
    'quote".png',
    "new\nline.png",
    "\u202egnp.exe.png",
    "caf\u00e9/\u5c71.png",
    "latin-\udce9.png",
    "100% & #1?.png",
    "separator\u2028.png",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(f"no browser to look at the page with: {reason}")
    with Browser() as window:
        yield window


@pytest.fixture
def look(browser: Browser, tmp_path: Path) -> Callable[..., Browser]:
    """Opens the page of a run of n images in k groups, ready to be looked at."""

    def open_page(n: int = 600, k: int = 4, **parts: Any) -> Browser:
        images, labels, confidence, positions = blobs(n, k)
        defaults = {"confidence": confidence, "positions": positions}
        page = write_page(make_run(tmp_path / "run", images, labels, **{**defaults, **parts}))
        browser.prefer("light")
        browser.resize(1280, 900)
        browser.console()
        browser.requests()
        browser.open(page)
        browser.wait_for("document.documentElement.dataset.ready")
        browser.run("document.documentElement.style.scrollBehavior = 'auto'")
        return browser

    return open_page


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of originals whose names no page should trip over."""
    folder = tmp_path / "my photos #1"
    for name in WICKED:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((20, 20, 3), 90, dtype=np.uint8)).save(path, "PNG")
        except OSError:
            pytest.skip(f"this file system cannot hold the name {name!r}")
    return folder
