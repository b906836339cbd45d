"""How long the page takes to open, and whether it stays usable, at 1,000 to 50,000 images.

    PYTHONPATH=src:tests python benchmarks/page_open.py [--out page_open.json] [n ...]

A made-up run (20 groups of 64 x 64 noisy photos, which compress worse than real ones) is written and opened from the
disk in a headless Chromium without a graphics card. Every figure is the median of three.

write    seconds that write_page took           megabytes  size of page.html
painted  navigation to first contentful paint   ready      navigation to everything being clickable
loaded   navigation to the whole file read      cards      navigation to every picture of the first screen drawn
open     click on a group to its 200 tiles with all visible pictures drawn
page     turning to the next 200                hover      pointing at a dot to its picture (worst of ten)
frame    one redraw of the whole map            relabel    new labels for every image to everything redrawn
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from coterie.report import write_page
from report.browser import Browser
from report.run_maker import make_run

NAVIGATION = """
const entry = performance.getEntriesByType("navigation")[0];
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return { painted: paint?.startTime, ready: window.readyAt, loaded: entry.loadEventEnd, cards: window.cardsAt };
"""
# Runs before the page's own script, so that nothing has to be asked for from outside while the page opens.
WATCH = """
(function watch() {
  const canvases = [...document.querySelectorAll(".card .thumb, .mosaic .thumb")]
    .filter((c) => c.getBoundingClientRect().top < innerHeight);
  if (document.documentElement?.dataset.ready) window.readyAt ??= performance.now();
  if (canvases.length && canvases.every((c) => c.classList.contains("drawn"))) window.cardsAt = performance.now();
  else setTimeout(watch, 4);
})();
"""
TIMED = """
const done = arguments[arguments.length - 1], start = performance.now();
function visible(canvas) {
  const box = canvas.getBoundingClientRect(), frame = canvas.closest(".tiles")?.getBoundingClientRect();
  return box.top < Math.min(innerHeight, frame?.bottom ?? innerHeight) && box.bottom > 0;
}
const drawn = (selector) => [...document.querySelectorAll(selector)]
  .filter(visible).every((c) => c.classList.contains("drawn"));
const until = (condition) => requestAnimationFrame(function check() {
  if (condition()) done(performance.now() - start); else setTimeout(check, 2);
});
"""
ACTIONS = {
    "open": "coteriePage.openGroup(7); until(() => drawn('.tile canvas'));",
    "page": "document.querySelector('#viewer-pager button:last-of-type').click(); until(() => drawn('.tile canvas'));",
    "relabel": """
document.getElementById("viewer").close(); scrollTo({ top: 0, behavior: "instant" });
coteriePage.setLabels(coteriePage.state.labels.map((label) => label >> 1)); until(() => drawn('.card canvas'));""",
    "frame": """
const canvas = document.getElementById("map-canvas"), before = canvas.dataset.drawn;
canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
until(() => canvas.dataset.drawn !== before);""",
}
HOVER = """
const { camera, xs, ys } = coteriePage.map, i = arguments[0];
const canvas = document.getElementById("map-canvas"), box = canvas.getBoundingClientRect();
canvas.dispatchEvent(new PointerEvent("pointermove", {
  clientX: camera.screenX(xs[i]) + box.left, clientY: camera.screenY(ys[i]) + box.top, pointerId: 1 }));
until(() => drawn('#map-tip canvas'));"""


def fabricate(folder: Path, n: int, groups: int = 20) -> Path:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(n) % groups)
    coarse = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    images = np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)
    images ^= rng.integers(0, 32, images.shape, dtype=np.uint8)
    positions = rng.normal(size=(groups, 2))[labels] * 5 + rng.normal(size=(n, 2))
    names = [f"2024/holiday {i % 37}/IMG_{i:06d}.JPEG" for i in range(n)]
    make_run(folder, images, labels, names=names, confidence=rng.random(n), positions=positions)
    np.save(folder / "embedding.npy", rng.normal(size=(n, 64)).astype(np.float32))
    return folder


def measure(n: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        run = fabricate(Path(temporary) / "run", n)
        start = time.perf_counter()
        page = write_page(run)
        row = {"n": n, "write": time.perf_counter() - start, "megabytes": page.stat().st_size / 1e6}
        trials = [visit(page, n) for _ in range(3)]
    return row | {name: statistics.median(trial[name] for trial in trials) for name in trials[0]}


def visit(page: Path, n: int) -> dict[str, float]:
    with Browser() as browser:
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        browser.open(page)
        browser.wait_for("window.cardsAt", 60)
        seconds = {name: value / 1000 for name, value in browser.run(NAVIGATION).items()}
        browser.run("document.querySelector('#map').scrollIntoView({ behavior: 'instant' })")
        browser.wait_for("document.getElementById('map-canvas').dataset.drawn")
        seconds["hover"] = max(browser.run_async(TIMED + HOVER, i * n // 10) for i in range(10)) / 1000
        for name in ("frame", "open", "page", "relabel"):
            seconds[name] = browser.run_async(TIMED + ACTIONS[name]) / 1000
        assert not browser.console()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int, nargs="*", default=[1_000, 5_000, 20_000, 50_000])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for n in arguments.n:
        rows.append(measure(n))
        if len(rows) == 1:
            print("  ".join(f"{name:>9}" for name in rows[0]))
        print(
            "  ".join(f"{value:>9,}" if name == "n" else f"{value:>9.2f}" for name, value in rows[-1].items()),
            flush=True,
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
