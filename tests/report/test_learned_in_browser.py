"""The section about the training, in a real browser."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from report.browser import Browser
from report.run_maker import ANSWERS, cloud, records
from report.test_page_in_browser import PAINTED, show

pytestmark = pytest.mark.browser
Look = Callable[..., Browser]
POINT_AT = """
const box = document.querySelectorAll(".curve-box")[arguments[0]].getBoundingClientRect();
return [box.left + box.width * arguments[1], box.top + box.height / 2];
"""
PIXELS = "return document.querySelectorAll('.cloud canvas')[arguments[0]].toDataURL()"
PLACE = """
const box = document.querySelectorAll(".cloud canvas")[arguments[0]].getBoundingClientRect();
return [box.x, box.y, box.width];
"""


@pytest.fixture
def page(look: Look) -> Browser:
    figures = {
        "n_clusters": [400] * 4 + [40] * 4 + [4] * 3,
        "nonempty": [4] * 11,
        "effective": [3.5] * 11,
        "changed": [None] + [0.5] * 10,
    }
    rows = records(11, **figures)
    rows[5]["phase"] = 2
    shots = [cloud("pixels", 300, 300), cloud("period 1", 300, 40), cloud("<b>last</b>", 300, 4)]
    browser = look(300, 4, records=rows, snapshots=shots, info={"method": "jule", "answers": ANSWERS})
    show(browser, "#learned")
    return browser


def test_the_section_stands_on_the_page_without_an_error_or_a_request(page: Browser) -> None:
    titles = "return [...document.querySelectorAll('.curve h4')].map((title) => title.textContent)"
    assert page.run(titles) == ["Loss", "Clusters left", "Clusters in use", "Share of labels that changed"]
    assert page.text(".jump a[href='#learned']") == "Learning"
    assert "JULE" in page.text(".lead")
    for index in range(3):
        page.run("document.querySelectorAll('.cloud')[arguments[0]].scrollIntoView()", index)
        page.wait_for(f"document.querySelectorAll('.cloud canvas')[{index}].dataset.drawn")
    assert page.console() == []
    assert [url for url in page.requests() if not url.endswith("/page.html")] == []


def test_a_chart_says_its_last_value_and_any_other_one_points_at(page: Browser) -> None:
    page.wait_for("document.querySelectorAll('.curve svg').length === 4")
    assert page.text(".curve .reading") == "0.000977"
    page.point(*page.run(POINT_AT, 0, 0.5))
    page.wait_for("document.querySelector('.curve .reading').textContent === 'epoch 6: 0.0313'")
    assert page.run("return document.querySelector('.curve .pointer').getAttribute('visibility')") == "visible"
    page.point(2, 2)
    page.wait_for("document.querySelector('.curve .reading').textContent === '0.000977'")
    label = "return document.querySelector('.curve svg').getAttribute('aria-label')"
    assert page.run(label) == "Loss: from 1 to 0.000977 (logarithmic scale)"


def test_the_clusters_fall_in_steps_that_say_their_number(page: Browser) -> None:
    page.wait_for("document.querySelectorAll('.curve svg').length === 4")
    texts = "return [...document.querySelectorAll('.curve')[1].querySelectorAll('.step')].map((t) => t.textContent)"
    assert page.run(texts) == ["40", "4"]
    path = page.run("return document.querySelectorAll('.curve')[1].querySelector('path').getAttribute('d')")
    corners = [corner.split() for corner in path.removeprefix("M").replace("h0.01", "").split("L")]
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(corners)), "no slopes"
    assert page.count(".curve .break") == 2 * 4, "a phase began and ended"


def test_a_cloud_turns_under_the_mouse_and_under_the_arrow_keys(page: Browser) -> None:
    page.run("document.getElementById('clouds').scrollIntoView()")
    page.wait_for("document.querySelectorAll('.cloud canvas')[1].dataset.drawn")
    assert page.run(PAINTED, ".cloud:nth-child(2) canvas") > 0.01
    before = page.run(PIXELS, 1)
    x, y, width = page.run(PLACE, 1)
    events = [
        {"type": "pointerMove", "duration": 0, "x": round(x + width / 2), "y": round(y + width / 2)},
        {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "duration": 50, "x": round(x + width / 2) + 60, "y": round(y + width / 2) + 20},
        {"type": "pointerUp", "button": 0},
    ]
    page._send("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": events}]})
    page.wait_for("coteriePage.clouds[1].view.turn > 1.05")
    assert page.run("return coteriePage.clouds[1].view.tilt") == pytest.approx(0.35 + 0.2, abs=0.02)
    assert page.run("return coteriePage.clouds[0].view.turn") == 0.5, "only the one that was dragged"
    page.wait_for("+document.querySelectorAll('.cloud canvas')[1].dataset.drawn > 1")
    assert page.run(PIXELS, 1) != before
    page.run("document.querySelectorAll('.cloud canvas')[1].focus()")
    page.press("\ue012")  # Left
    page.wait_for("coteriePage.clouds[1].view.turn < 1.05")
    assert page.console() == []


def test_a_cloud_says_its_moment_and_its_groups(page: Browser) -> None:
    captions = (
        "return [...document.querySelectorAll('.cloud figcaption')].map((c) => c.innerText.split('\\n').join('|'))"
    )
    assert page.run(captions) == ["pixels|300 groups", "period 1|40 groups", "<b>last</b>|4 groups"]
    assert page.count(".cloud b") == 0
    label = page.run("return document.querySelectorAll('.cloud canvas')[1].getAttribute('aria-label')")
    assert label == "period 1: 40 groups. A cloud of 300 points; arrow keys turn it."


def test_every_answer_stands_in_the_table_and_the_chosen_one_is_marked(page: Browser) -> None:
    rows = page.run(
        "return [...document.querySelectorAll('.answers tbody tr')].map((row) => row.innerText.split('\\t'))"
    )
    assert [row[1:] for row in rows] == [
        ["3", "0.812", "0.750", "0.500", "0.250", ""],
        ["4", "1.000", "1.000", "1.000", "1.000", "chosen"],
    ]
    assert page.text(".answers tr.chosen th").startswith("robust")
    assert "its edges stay inside." in page.text("#learned")


def test_dark_mode_reaches_the_curves(page: Browser) -> None:
    page.wait_for("document.querySelectorAll('.curve svg').length === 4")
    stroke = "return getComputedStyle(document.querySelector('.curve .line-0')).stroke"
    light = page.run(stroke)
    page.prefer("dark")
    assert page.run(stroke) != light


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_of_it_sticks_out_sideways(page: Browser, width: int) -> None:
    page.resize(width, 800)
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_one_epoch_and_one_point_are_drawn_too(look: Look) -> None:
    browser = look(20, 2, records=records(1), snapshots=[cloud("only", 1, 1)])
    show(browser, "#learned")
    browser.wait_for("document.querySelector('.curve svg path')")
    browser.wait_for("document.querySelector('.cloud canvas').dataset.drawn")
    assert browser.text(".curve .reading") == "1"
    assert browser.run(PAINTED, ".cloud canvas") > 0
    assert browser.console() == []


def test_a_run_without_a_training_shows_nothing_of_it(look: Look) -> None:
    assert look(60, 3).count("#learned, .curve, .cloud, .jump a[href='#learned']") == 0
