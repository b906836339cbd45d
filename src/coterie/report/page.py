"""Writes page.html: one file that shows a whole run, opens from the disk and needs no network.

The page holds everything it shows: the style sheet, the script, the results as JSON and the thumbnails as base64 JPEG
sheets. The sheets stand last, so that a browser draws the page while it still reads them; they make up nearly all of
its size and are written one after the other, never held together.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from coterie.files.atomic import atomic_write
from coterie.files.run_folder import RunFolder
from coterie.report.payload import payload
from coterie.report.ranking import typical_first
from coterie.report.sheets import Arrangement, arrange, jpeg_sheets
from coterie.report.words import words

# In the order in which they build on each other; together they are one script in a scope of its own.
SCRIPTS = (
    "dom.js",
    "state.js",
    "levels.js",
    "palette.js",
    "thumbs.js",
    "theme.js",
    "original.js",
    "groups.js",
    "viewer.js",
    "camera.js",
    "paint.js",
    "map_input.js",
    "map.js",
    "sizes.js",
    "curves.js",
    "clouds.js",
    "attention.js",
    "skipped.js",
    "slider.js",
    "main.js",
)


def write_page(run: Path | RunFolder) -> Path:
    """Path of the ``page.html`` written into the run folder, from what lies in that folder.

    ``run`` is the folder of a complete run or an opened one. Raises RunFolderError when a part of it is missing or
    damaged and OutputError when the page cannot be written; an earlier page is then untouched.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(Path(run))
    rank = typical_first(folder)
    arrangement = arrange(folder.thumbnails, folder.labels, rank)
    script, style = _script(), _static("page.css")
    content = payload(folder, arrangement, rank)
    context = {
        **words(folder),
        "data": json_for_html(content),
        "has_levels": content["levels"] is not None,
        "has_map": folder.map is not None,
        "has_curves": bool(content["learned"] and content["learned"]["curves"]),
        "script": script,
        "script_hash": _content_hash(script),
        "style": style,
        "style_hash": _content_hash(style),
    }
    path = folder.path / "page.html"
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        for chunk in _render(context, arrangement):
            # A name that is no text (bytes outside UTF-8) is spelled out, the way assignments.csv does it.
            file.write(chunk.encode("utf-8", "backslashreplace"))
    return path


def json_for_html(value: Any) -> str:
    """``value`` as JSON that can stand inside a script element: ASCII only, without ``<``, ``>`` and ``&``.

    ASCII covers U+2028, U+2029 and lone surrogates; the three characters are all that an HTML parser could react to.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _render(context: dict[str, Any], arrangement: Arrangement | None) -> Iterator[str]:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_static("page.html.j2", "templates"))
    sheets = (b64encode(sheet).decode("ascii") for sheet in jpeg_sheets(arrangement)) if arrangement else ()
    # Ours, or safe by construction; everything else on the page is escaped.
    trusted = {name: Markup(context[name]) for name in ("data", "script", "style", "script_hash", "style_hash")}
    yield from template.generate(**{**context, **trusted, "sheets": sheets})


def _script() -> str:
    body = "\n".join(_static(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{body}}})();\n'


def _static(name: str, folder: str = "static") -> str:
    # read_text turns every line end into "\n", as an HTML parser does before it checks the hash
    return (files("coterie.report") / folder / name).read_text(encoding="utf-8")


def _content_hash(text: str) -> str:
    """The source expression by which a content security policy allows exactly this inline text."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
