"""Sliding along the merge history, in a real browser."""

from collections.abc import Callable

import numpy as np
import pytest

from report.browser import Browser
from report.run_maker import blobs, linkage_of

pytestmark = pytest.mark.browser
Look = Callable[..., Browser]
LABELS = "return [...coteriePage.state.labels]"
CARDS = "return [...document.querySelectorAll('.card h3')].map((title) => title.textContent)"
SIZES = "return Object.fromEntries(coteriePage.state.groups.map((group) => [group.id, group.size]))"


@pytest.fixture
def page(look: Look) -> Browser:
    labels = blobs(300, 5)[1]
    rows = [{"n_clusters": 7, "score": 0.8}, {"n_clusters": 3, "score": 0.7}]
    choice = {"n_clusters": 5, "rule": "largest gap", "runners_up": rows}
    browser = look(300, 5, linkage=linkage_of(labels), info={"choice": choice})
    assert browser.run(LABELS) == labels.tolist()
    return browser


def go(browser: Browser, selector: str, groups: int) -> None:
    browser.click(selector)
    browser.wait_for(f"coteriePage.state.groups.length === {groups}")


def test_one_fewer_merges_two_cards_and_back_restores_the_run_exactly(page: Browser) -> None:
    before, sizes = page.run(LABELS), page.run(SIZES)
    go(page, "#level-fewer", 4)
    assert page.run(CARDS) == ["Group 0 + 1", "Group 2", "Group 3", "Group 4"]
    assert page.run(SIZES)["0"] == sizes["0"] + sizes["1"]
    assert (
        page.text("#level-step")
        == f"From 5 to 4: groups 0 and 1 merge into one group of {sizes['0'] + sizes['1']} images."
    )
    assert page.text("#level-number") == "4 groups"
    go(page, "#level-back", 5)
    assert page.run(LABELS) == before
    assert page.run(CARDS) == [f"Group {label}" for label in range(5)]
    assert page.run("return document.getElementById('level-back').disabled")


def test_one_more_splits_a_card_and_everything_on_the_page_follows(page: Browser) -> None:
    sizes = page.run(SIZES)
    go(page, "#level-more", 6)
    assert page.run(CARDS) == ["Group 0", "Group 1", "Group 2", "Group 3", "Group 4a", "Group 4b"]
    after = page.run(SIZES)
    assert after["4"] + after["5"] == sizes["4"]
    assert (
        page.text("#level-step") == f"From 5 to 6: group 4 splits into 4a ({after['4']} images) and 4b ({after['5']})."
    )
    assert page.count("#map-legend li") == page.count("#size-chart .bar") == page.count(".card") == 6
    assert page.run("return [...document.querySelectorAll('.card.fresh h3')].map((t) => t.textContent)") == [
        "Group 4a",
        "Group 4b",
    ]
    page.run("coteriePage.openGroup(5)")
    assert page.text("#viewer-title") == "Group 4b"
    assert page.count(".tile") == after["5"]
    go_on = "document.getElementById('viewer').close(); coteriePage.slider.go(5)"
    page.run(go_on)
    page.wait_for("coteriePage.state.groups.length === 5")
    assert page.console() == []


def test_every_level_is_nested_in_the_next(page: Browser) -> None:
    levels = "const { levels } = coteriePage.slider; return [levels.fewest, levels.most]"
    fewest, most = page.run(levels)
    assert (fewest, most) == (2, 10)
    fine = page.run("return [...coteriePage.slider.levels.labelsAt(10)]")
    for k in range(9, 1, -1):
        coarse = page.run("return [...coteriePage.slider.levels.labelsAt(arguments[0])]", k)
        assert len(set(coarse)) == k
        assert len(set(zip(fine, coarse, strict=True))) == k + 1
        fine = coarse


def test_the_slider_works_by_keyboard_and_says_where_it_stands(page: Browser) -> None:
    page.run("document.getElementById('level').focus()")
    page.press("\ue014")  # Right
    page.wait_for("coteriePage.state.groups.length === 6")
    page.press("\ue012")  # Left
    page.wait_for("coteriePage.state.groups.length === 5")
    said = "return document.getElementById('level').getAttribute('aria-valuetext')"
    assert page.run(said) == "5 groups, the answer of the run"
    page.press("\ue011")  # Home
    page.wait_for("coteriePage.state.groups.length === 2")
    assert page.run(said) == "2 groups"
    assert page.run("return document.getElementById('level-fewer').disabled")


def test_runners_up_are_marked_and_one_click_away(page: Browser) -> None:
    assert page.count("#level-marks .next-best") == 2
    assert page.count("#level-marks .answer") == 1
    go(page, ".level-goto[data-level='7']", 7)
    assert page.run("return document.querySelector('.level-goto[aria-pressed=true]').textContent") == "7"
    place = "const range = document.getElementById('level'), left = range.getBoundingClientRect().left;"
    thumb = page.run(f"{place} return left + 8 + (range.offsetWidth - 16) * 5 / 8")
    mark = page.run("return document.querySelector('.level-mark').getBoundingClientRect().left + 1")
    assert abs(thumb - mark) < 1.5


def test_cards_of_groups_that_stay_are_kept_with_their_pictures(page: Browser) -> None:
    page.run("window.kept = document.querySelector('.card[data-group=\"2\"]')")
    go(page, "#level-fewer", 4)
    assert page.run("return document.querySelector('.card[data-group=\"2\"]') === window.kept")


def test_a_run_without_a_linkage_shows_no_slider(look: Look) -> None:
    assert look(60, 3).count("#levels, #level-bar, .jump a[href='#levels']") == 0


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_slider_never_sticks_out_sideways(page: Browser, width: int) -> None:
    page.resize(width, 800)
    page.run("coteriePage.slider.go(2)")
    page.wait_for("coteriePage.state.groups.length === 2")
    assert page.run("return document.documentElement.scrollWidth") <= width
    inside = "const b = document.getElementById('level-bar'); return b.scrollWidth - b.clientWidth"
    assert page.run(inside) <= 0


def test_a_step_among_fifty_thousand_images_takes_no_time_to_speak_of(look: Look) -> None:
    labels = blobs(50_000, 12)[1]
    browser = look(50_000, 12, linkage=linkage_of(labels), with_thumbnails=list(range(200)))
    step = "coteriePage.setLabels(coteriePage.slider.levels.labelsAt(11))"
    taken = browser.run(f"const start = performance.now(); {step}; return performance.now() - start")
    assert taken < 1000  # 33 ms on the machine this was written on, whose cores are shared
    assert np.unique(browser.run(LABELS)).size == 11
