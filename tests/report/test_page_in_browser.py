"""The page in a real browser: what a person sees and does."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from report.browser import Browser
from report.conftest import WICKED

pytestmark = pytest.mark.browser
Look = Callable[..., Browser]

# the share of painted pixels of the canvas that `selector` names
PAINTED = """
const c = document.querySelector(arguments[0]), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / (d.length / 4);
"""
PLACE_OF = """
const { camera, xs, ys } = coteriePage.map, box = document.getElementById("map-canvas").getBoundingClientRect();
return [camera.screenX(xs[arguments[0]]) + box.left, camera.screenY(ys[arguments[0]]) + box.top];
"""


def show(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).scrollIntoView()", selector)


def test_the_page_opens_without_errors_and_asks_the_network_for_nothing(look: Look) -> None:
    browser = look()
    browser.wait_for("document.querySelectorAll('.card .thumb.drawn').length > 20")
    for section in ("#map", "#sizes", "#skipped", "#details"):
        show(browser, section)
    browser.click("#map-pictures")
    browser.run("coteriePage.openGroup(1, coteriePage.state.groups[1].images[3])")
    browser.wait_for("document.querySelectorAll('.tile .drawn').length > 10")
    assert browser.console() == []
    asked = browser.requests()
    assert [url for url in asked if not url.endswith("/page.html")] == []


def test_a_script_in_a_file_name_is_shown_and_does_nothing(look: Look) -> None:
    names = WICKED + [f"{i}.png" for i in range(11)]
    browser = look(len(names), 1, names=names, skipped=[("<script>window.hacked = 3</script>", "<i>odd</i>")])
    browser.run("coteriePage.openGroup(0)")
    shown = browser.run("return [...document.querySelectorAll('.tile')].map((t) => t.title)")
    assert set(WICKED[:3]) <= set(shown)
    assert {"new\\nline.png", "\\u202egnp.exe.png", "latin-\\xe9.png", "separator\\u2028.png"} <= set(shown)
    assert browser.run("return window.hacked ?? null") is None
    assert browser.count("#viewer-tiles script, #viewer-tiles img, #skipped-rows i") == 0
    assert browser.text("#skipped-rows tr td") == "<script>window.hacked = 3</script>"
    assert browser.console() == []


def test_even_a_script_that_gets_into_the_page_is_stopped_by_its_policy(look: Look) -> None:
    browser = look(20, 2)
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 4'; document.body.append(s)"
    )
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 5\">')")
    assert browser.run("return window.hacked ?? null") is None
    assert browser.console()  # the browser says that it refused


def test_every_card_shows_its_most_typical_and_most_doubtful_images(look: Look) -> None:
    browser = look(600, 4)
    assert browser.count(".card") == 4
    for group in browser.run("return coteriePage.state.groups.map((g) => [g.id, [...g.images]])"):
        number, images = group
        card = f".card[data-group='{number}']"
        shown = f"return [...document.querySelectorAll(`{card} ${{arguments[0]}} .thumb`)].map((t) => +t.dataset.image)"
        assert browser.run(shown, ".typical") == images[:12]
        assert browser.run(shown, ".doubtful") == images[:-7:-1]
        assert f"{len(images)} images" in browser.text(f"{card} .size")


def test_a_click_on_a_card_opens_all_images_of_its_group(look: Look) -> None:
    browser = look(300, 3)
    browser.click(".card[data-group='2'] .open")
    size = browser.run("return coteriePage.state.byId.get(2).size")
    assert browser.text("#viewer-title") == "Group 2"
    assert browser.count(".tile") == size
    browser.press("\ue00c")  # Escape
    browser.wait_for("!document.getElementById('viewer').open")


def test_a_card_opens_by_keyboard_and_arrows_walk_over_its_images(look: Look) -> None:
    browser = look(100, 2)
    browser.run("document.querySelector('.card .open').focus()")
    browser.press("\ue007")  # Enter
    browser.wait_for("document.getElementById('viewer').open")
    browser.run("document.querySelector('.tile').focus()")
    browser.press("\ue014")  # Right
    assert browser.run("return [...document.querySelectorAll('.tile')].indexOf(document.activeElement)") == 1
    browser.press("\ue007")
    assert browser.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    assert not browser.run("return document.getElementById('viewer-detail').hidden")


def test_a_large_group_is_paged_and_sorted(look: Look) -> None:
    browser = look(900, 2, names=[f"img{i}.png" for i in range(900)])
    browser.run("coteriePage.openGroup(0)")
    group = browser.run("return [...coteriePage.state.byId.get(0).images]")
    listed = "return [...document.querySelectorAll('.tile')].map((t) => +t.dataset.image)"
    assert browser.run(listed) == group[:200]
    assert browser.text("#viewer-pager .where") == f"1–200 of {len(group)}"
    browser.click("#viewer-pager button:last-of-type")
    assert browser.run(listed) == group[200:400]
    order = "const order = document.getElementById('viewer-order'); order.value = arguments[0];"
    select = f"{order} order.dispatchEvent(new Event('change'))"
    browser.run(select, "doubtful")
    assert browser.run(listed) == group[::-1][:200]
    browser.run(select, "name")
    assert browser.run(listed) == sorted(group)[:200]  # img2 before img10
    browser.type("#viewer-find", f"img{group[0]}.png")
    assert browser.run(listed) == [group[0]]


def test_the_original_is_shown_and_linked_where_it_lies(look: Look, photos: Path) -> None:
    browser = look(len(WICKED), 1, names=WICKED, info={"source": str(photos)})
    for image in range(len(WICKED)):
        browser.run("coteriePage.openGroup(0, arguments[0])", image)
        browser.wait_for("document.querySelector('#viewer-detail img')?.naturalWidth === 20")
    assert browser.text("#viewer-detail .actions a") == "Open original"


def test_a_missing_original_is_said_to_be_missing(look: Look, photos: Path) -> None:
    browser = look(len(WICKED), 1, names=WICKED, info={"source": str(photos)})
    shutil.rmtree(photos)
    browser.run("coteriePage.openGroup(0, 0)")
    browser.wait_for("document.querySelector('#viewer-detail .note').textContent.includes('missing')")
    assert browser.count("#viewer-detail canvas.drawn") == 1
    browser.console()  # the browser notes the missing file itself


def test_pointing_at_a_dot_shows_its_image_and_a_click_opens_its_group(look: Look) -> None:
    browser = look(300, 3, names=[f"holiday {i}.jpg" for i in range(300)])
    show(browser, "#map")
    place = browser.run(PLACE_OF, 17)
    browser.point(*place)
    browser.wait_for("document.querySelector('#map-tip canvas.drawn')")
    pointed = browser.run("return +document.querySelector('#map-tip canvas').dataset.image")
    near = browser.run(PLACE_OF, pointed)
    assert np.hypot(near[0] - place[0], near[1] - place[1]) < 2
    assert browser.text("#map-tip b") == f"holiday {pointed}.jpg"
    label = browser.run("return coteriePage.state.labels[arguments[0]]", pointed)
    assert f"Group {label}" in browser.text("#map-tip")


def test_one_group_can_be_shown_alone_on_the_map(look: Look) -> None:
    browser = look(300, 3)
    show(browser, "#map")
    browser.wait_for("document.getElementById('map-canvas').dataset.drawn")
    button = "#map-legend li:nth-child(2) button"
    browser.click(button)
    assert browser.run("return document.querySelector(arguments[0]).getAttribute('aria-pressed')", button) == "true"
    hidden = browser.run("return coteriePage.state.byId.get(0).images[0]")
    browser.point(*browser.run(PLACE_OF, hidden))
    shown = browser.run(
        "const c = document.querySelector('#map-tip:not([hidden]) canvas'); return c ? +c.dataset.image : -1"
    )
    assert shown == -1 or browser.run("return coteriePage.state.labels[arguments[0]]", shown) == 1
    browser.click("#map-all")
    assert browser.run("return document.querySelector(arguments[0]).getAttribute('aria-pressed')", button) == "false"


def test_the_map_zooms_by_buttons_and_keys(look: Look) -> None:
    browser = look(200, 2)
    show(browser, "#map")
    scale = "return coteriePage.map.camera.view.scale / coteriePage.map.camera.view.fitted"
    browser.click("#map-in")
    assert browser.run(scale) == pytest.approx(1.6)
    browser.run("document.getElementById('map-canvas').focus({ preventScroll: true })")
    browser.press("+")
    assert browser.run(scale) == pytest.approx(1.6 * 1.4)
    browser.press("0")
    assert browser.run(scale) == pytest.approx(1)


def test_dark_mode_follows_the_system_and_the_button(look: Look) -> None:
    browser = look(120, 3)
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(paper)
    browser.prefer("dark")
    dark = browser.run(paper)
    assert dark != light
    browser.click("#theme")
    assert browser.run(paper) == light
    show(browser, "#map")
    browser.wait_for("document.getElementById('map-canvas').dataset.drawn")
    assert browser.run(PAINTED, "#map-canvas") > 0.002
    assert browser.console() == []


def test_images_of_joined_fragments_are_marked_in_their_opened_group(look: Look) -> None:
    nothing = {"merges": np.zeros((0, 2), int), "affinity": np.zeros(0), "size": np.zeros(0, int)}
    linkage = {"initial": np.arange(50), **nothing, "is_fragment": np.isin(np.arange(50), [3, 17, 40])}
    browser = look(50, 1, linkage=linkage)
    browser.run("coteriePage.openGroup(0, 17)")
    marked = browser.run("return [...document.querySelectorAll('.tile:has(.joined)')].map((t) => +t.dataset.image)")
    assert sorted(marked) == [3, 17, 40]
    assert "small fragment" in browser.text("#viewer-detail .joined-note")


def test_skipped_files_are_listed_in_pages_with_their_reasons(look: Look) -> None:
    skipped = [(f"bad/{i}.jpg", "truncated" if i % 3 else "empty") for i in range(120)]
    browser = look(60, 2, skipped=skipped)
    assert browser.count("#skipped-rows tr") == 50
    assert browser.text("#skipped .chips").split("\n") == ["80 truncated", "40 empty"]
    browser.click("#skipped-pager button:last-of-type")
    assert browser.text("#skipped-rows tr").split("\t") == ["bad/50.jpg", "truncated"]


def test_images_without_a_thumbnail_show_their_names(look: Look) -> None:
    browser = look(40, 2, with_thumbnails=list(range(20)))
    browser.run("coteriePage.openGroup(coteriePage.state.labels[30], 30)")
    assert browser.text("#viewer-detail .named") == "photo-00030.png"
    assert browser.console() == []


def test_new_labels_redraw_every_section(look: Look) -> None:
    browser = look(300, 6)
    browser.run("coteriePage.setLabels(coteriePage.state.labels.map((label) => label >> 1))")
    assert browser.count(".card") == 3
    assert browser.count("#map-legend li") == 3
    assert browser.count("#size-chart .bar") == 3
    sizes = browser.run("return coteriePage.state.groups.map((group) => group.size)")
    assert sum(sizes) == 300


def test_two_thousand_groups_are_shown_a_batch_at_a_time(look: Look) -> None:
    browser = look(4000, 2000)
    assert browser.count(".card") == 48
    browser.click("#more-cards")
    assert browser.count(".card") == 96
    assert browser.console() == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_nothing_sticks_out_sideways(look: Look, width: int) -> None:
    names = [f"a-rather-long-name-without-any-space-at-all-{i:040d}.jpeg" for i in range(60)]
    skipped = [("x" * 300 + ".jpg", "truncated")]
    warnings = [{"kind": "GraphWarning", "message": "y" * 200}]
    browser = look(60, 3, names=names, skipped=skipped, info={"source": "z" * 200, "warnings": warnings})
    browser.resize(width, 800)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    browser.run("coteriePage.openGroup(0, coteriePage.state.groups[0].images[0])")
    assert browser.run("const d = document.querySelector('.viewer'); return d.scrollWidth - d.clientWidth") <= 0
