"""The sentences and tables of the page: a run told to a person who has never seen clustering."""

from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np

from coterie.files.run_folder import RunFolder
from coterie.report.linkage_words import fragments_sentence, linkage_rows
from coterie.report.scores import score_rows
from coterie.report.training_words import training_words

METHODS = {"gdl": "graph degree linkage", "kmeans": "k-means", "jule": "JULE", "gatcluster": "GATCluster"}
FEATURES = {
    "pixels": "their pixels",
    "unit-pixels": "their pixels, the mean image left in",
    # Said wherever a score may follow: the encoder has seen labels, though not those of this run.
    "efficientnet-lite0": "what the EfficientNet-Lite0 encoder (trained on labelled ImageNet photos) sees in them",
    "hog": "their edges (histograms of oriented gradients)",
    "lbp": "their textures (local binary patterns)",
    "sift": "the kinds of patches they are made of (a spatial pyramid of SIFT words)",
}


def words(run: RunFolder) -> dict[str, Any]:
    """Everything the template says about a run, as plain text, tuples and dicts of text."""
    info = run.info
    return {
        "title": f"{_source(info)}: {_headline(run)}",
        "headline": _headline(run),
        "source": _source(info),
        "lead": _lead(info),
        "verdict": _verdict(run),
        "warnings": [_warning(entry) for entry in _list(info.get("warnings"))],
        "facts": _facts(run),
        "scores": score_rows(info.get("scores")),
        "choice": _choice(info.get("choice")),
        "learned": training_words(run, _training_time(run)),
        "fragments": fragments_sentence(info.get("linkage")),
        "skipped_sentence": _skipped_sentence(run),
        "skipped_reasons": [(f"{number:,}", reason) for reason, number in _reasons(run)],
        "blocks": _blocks(info),
        "version": str(info.get("coterie", "")),
    }


def duration(seconds: float) -> str:
    """'0.4 s', '6.2 s', '3 min 20 s', '2 h 5 min'."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60) if seconds >= 3600 else int(seconds // 60)
    if seconds < 3600:
        rest = round(seconds - 60 * minutes)
        return f"{minutes} min {rest} s" if 0 < rest < 60 else f"{minutes + rest // 60} min"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(text: object) -> str:
    """'22 Nov 2025, 14:03 UTC' from an ISO time; the text itself when it is none."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    zone = " UTC" if when.utcoffset() is not None and not when.utcoffset() else ""
    return f"{when.day} {when:%b %Y, %H:%M}{zone}"


def plural(n: int, word: str) -> str:
    """'1 image', '1,797 images'."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _source(info: dict[str, Any]) -> str:
    return str(info.get("source") or "an array")


def _headline(run: RunFolder) -> str:
    groups = len(np.unique(run.labels[run.labels >= 0]))
    return f"{plural(len(run.names), 'image')} in {plural(groups, 'group')}"


def _lead(info: dict[str, Any]) -> str:
    method = METHODS.get(str(info.get("method")), str(info.get("method")))
    features = _features(info)
    compared = f", which compared {FEATURES.get(features, features)}" if features else ""
    return f"put into groups by {method}{compared}."


def _verdict(run: RunFolder) -> str:
    if isinstance(given := run.info.get("verdict"), str):
        return given
    sizes = np.unique(run.labels[run.labels >= 0], return_counts=True)[1]
    if len(sizes) == 0:
        return "No image was put into a group."
    spread = f"from {sizes.min():,} to {sizes.max():,}" if len(sizes) > 1 else f"of {sizes.max():,}"
    parts = [f"The groups hold {spread} images each." if len(sizes) > 1 else f"There is one group {spread} images."]
    asked = _setting(run.info, "n_clusters")
    if asked.isdigit() and int(asked) != len(sizes):
        parts.append(f"{int(asked):,} groups were asked for; {len(sizes):,} hold images.")
    if len(sizes) > 2 and sizes.max() > 0.6 * sizes.sum():
        parts.append(f"One of them holds {sizes.max() / sizes.sum():.0%} of all images, so look into it first.")
    if number := len(_list(run.info.get("warnings"))):
        parts.append(f"Read the {'warning' if number == 1 else f'{number} warnings'} below before you trust them.")
    else:
        parts.append("The run gave no warnings.")
    return " ".join(parts)


def _warning(entry: Any) -> dict[str, str]:
    if not isinstance(entry, dict):
        return {"title": "Warning.", "message": str(entry)}
    kind = str(entry.get("kind", "Warning")).removesuffix("Warning") or "Warning"
    spaced = "".join(f" {c.lower()}" if c.isupper() and at else c for at, c in enumerate(kind))
    return {"title": f"{spaced}.", "message": str(entry.get("message", ""))}


def _facts(run: RunFolder) -> list[tuple[str, str]]:
    info = run.info
    asked = _setting(info, "n_clusters")
    groups = f"{len(np.unique(run.labels[run.labels >= 0])):,}"
    chosen = "found automatically" if asked == "auto" or info.get("choice") else "as asked" if asked == groups else ""
    facts = [
        ("Groups", f"{groups}, {chosen}" if chosen else groups),
        ("Left out", f"{len(run.skipped):,}"),
        ("Method", METHODS.get(str(info.get("method")), str(info.get("method")))),
        ("Features", _features(info)),
    ]
    finite = run.confidence[np.isfinite(run.confidence)]
    if len(finite):
        facts.append(("Mean confidence", f"{finite.mean():.2f}"))
    if run.training:
        facts.append(("Trained", plural(len(run.training), "epoch")))
    timings = _numbers(info.get("timings"))
    facts.append(("Time taken", duration(_total(timings)) if timings else ""))
    facts.append(("Date", moment(info.get("created", ""))))
    return [(name, value) for name, value in facts if value]


def _choice(choice: Any) -> dict[str, Any] | None:
    if not isinstance(choice, dict):
        return None
    chosen = choice.get("n_clusters")
    rows = [{"n_clusters": chosen, "score": choice.get("score"), "chosen": True}]
    rows += [{**row, "chosen": False} for row in _list(choice.get("runners_up")) if isinstance(row, dict)]
    shown = [
        {"n_clusters": _figure(row.get("n_clusters")), "score": _figure(row.get("score")), "chosen": row["chosen"]}
        for row in rows
    ]
    rule = str(choice.get("rule", "")).strip()
    sentence = rule + ("" if rule.endswith((".", "!", "?")) or not rule else ".")
    return {"n_clusters": _figure(chosen), "rule": sentence, "rows": shown if len(shown) > 1 else []}


def _training_time(run: RunFolder) -> str:
    seconds = _numbers((run.training or [{}])[-1]).get("seconds")
    return "" if seconds is None else duration(seconds)


def _reasons(run: RunFolder) -> list[tuple[str, int]]:
    return Counter(reason for _, reason in run.skipped).most_common()


def _skipped_sentence(run: RunFolder) -> str:
    number = len(run.skipped)
    return f"{plural(number, 'file')} could not be used as {'an image' if number == 1 else 'images'}."


def _blocks(info: dict[str, Any]) -> list[dict[str, Any]]:
    timings = _numbers(info.get("timings"))
    seconds = [(name, duration(value)) for name, value in timings.items()]
    tables = [
        ("Settings", flattened(info.get("config")), False),
        ("Merging", linkage_rows(info.get("linkage")), False),
        ("Images", flattened(info.get("images")), False),
        ("Time per stage", seconds, True),
        ("Versions", flattened(info.get("versions")), False),
    ]
    return [{"title": title, "rows": rows, "numbers": numbers} for title, rows, numbers in tables if rows]


def flattened(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """('graph.scale', 'local') for every leaf of nested dicts; lists are written out with commas."""
    if isinstance(value, dict):
        return [
            pair for key, inner in value.items() for pair in flattened(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(value, list):
        return [(prefix, ", ".join(_figure(item) for item in value))]
    return [(prefix, _figure(value))] if prefix else []


def _figure(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _setting(info: dict[str, Any], name: str) -> str:
    """A setting of the effective config wherever it is nested; '' when there is none."""
    for path, value in flattened(info.get("config")):
        if path.rsplit(".", 1)[-1] == name:
            return value.replace(",", "") if name == "n_clusters" else value
    return ""


def _features(info: dict[str, Any]) -> str:
    """The features that were used, where the config says more than what was asked for ("auto")."""
    return _setting(info, "features_used") or _setting(info, "features")


def _numbers(value: Any) -> dict[str, float]:
    entries = value.items() if isinstance(value, dict) else ()
    return {str(k): float(v) for k, v in entries if isinstance(v, int | float) and not isinstance(v, bool)}


def _total(timings: dict[str, float]) -> float:
    return timings["total"] if "total" in timings else sum(timings.values())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
