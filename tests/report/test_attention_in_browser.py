"""Overlays, label bars and the circle of labels, in a real browser."""

from collections.abc import Callable

import pytest

from report.browser import Browser
from report.run_maker import looked, records
from report.test_page_in_browser import PAINTED, show

pytestmark = pytest.mark.browser
Look = Callable[..., Browser]


@pytest.fixture
def page(look: Look) -> Browser:
    browser = look(60, 3, records=records(2), attention=looked(60, 3))
    show(browser, "#looks")
    return browser


def test_each_image_stands_under_its_overlay_beside_its_bars(page: Browser) -> None:
    assert page.count(".of-group") == 3
    assert page.count(".look") == page.count(".look .over") == page.count(".look .bars") == 9
    assert page.count(".look .bars span") == 27
    page.wait_for("document.querySelectorAll('.look canvas.thumb.drawn').length === 9")
    size = "const o = document.querySelector('.look .over'); return [o.width, o.height, o.clientWidth]"
    assert page.run(size)[:2] == [6, 6]
    assert page.run(size)[2] > 40
    heights = "return [...document.querySelectorAll('.look .bars')][0].children[0].style.height"
    assert float(page.run(heights).rstrip("%")) > 50
    label = page.run("return document.querySelector('.look .bars').getAttribute('aria-label')")
    assert label.startswith("The network's own output: 0.")
    assert page.console() == []


def test_the_overlay_can_be_taken_off(page: Browser) -> None:
    shown = "return getComputedStyle(document.querySelector('.look .over')).display"
    assert page.run(shown) != "none"
    page.run("document.getElementById('looks-overlay').click()")
    assert page.run(shown) == "none"
    assert page.run("return document.getElementById('looks-overlay').getAttribute('aria-pressed')") == "false"


def test_the_circle_is_drawn_and_told(page: Browser) -> None:
    show(page, "#circle")
    page.wait_for("document.getElementById('circle').dataset.drawn")
    assert page.run(PAINTED, "#circle") > 0.002
    label = page.run("return document.getElementById('circle').getAttribute('aria-label')")
    assert label == "The labels of 60 images on a circle of 3 clusters"


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_of_it_sticks_out_sideways(page: Browser, width: int) -> None:
    page.resize(width, 800)
    assert page.run("return document.documentElement.scrollWidth") <= width
