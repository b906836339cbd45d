"""The pictures of the page in README.md and the documentation, in light and dark colours.

    python benchmarks/page_picture.py [--out docs/images]

Groups the digits of the demo, with the PCA map that the core has without extras, and photographs the page down to its
first row of cards in a headless Chromium. Needs chromium and chromedriver on the PATH.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from coterie.cli.demo import write_digits
from report.browser import Browser

WIDTH, MARGIN = 1200, 20
N_GREYS, N_COLOURS = 196, 60  # of the 256 a small PNG can have: the dots of the groups are few pixels, but needed


def photograph(browser: Browser, page: Path, scheme: str) -> Image.Image:
    """The page from its top to the end of the first card, in the ``scheme`` "light" or "dark"."""
    browser.prefer(scheme)
    browser.resize(WIDTH, 1000)
    browser.open(page)
    browser.wait_for("document.querySelector('article.card')")
    height = browser.run("return document.documentElement.scrollHeight")
    browser.resize(WIDTH, height)  # pictures further down are drawn when they come into view
    time.sleep(1)
    bottom = browser.run("return document.querySelector('article.card').getBoundingClientRect().bottom")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        browser.screenshot(shot)
        with Image.open(shot) as image:
            return image.convert("RGB").crop((0, 0, WIDTH, round(bottom) + MARGIN))


def with_palette(image: Image.Image) -> Image.Image:
    """``image`` in 256 colours, the commonest greys and the commonest others."""
    counts = Counter(image.get_flattened_data())
    common = [colour for colour, _ in counts.most_common()]
    bright = [colour for colour in common if max(colour) - min(colour) > 40][:N_COLOURS]
    grey = [colour for colour in common if max(colour) - min(colour) <= 40][:N_GREYS]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in grey + bright for value in colour])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs/images")
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_digits(Path())
        subprocess.run(["coterie", "cluster", "digits", "-k", "10", "--map", "pca", "--out", "run"], check=True)
        with Browser(WIDTH, 1000) as browser:
            for scheme, name in (("light", "page.png"), ("dark", "page-dark.png")):
                picture = with_palette(photograph(browser, Path("run/page.html"), scheme))
                picture.save(out / name, optimize=True)
        os.chdir(out)


if __name__ == "__main__":
    main()
