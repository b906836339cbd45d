"""docs/results/speed.md out of rivals.json, growth.json, knn.json and scale.json; no number is typed here.

python benchmarks/render_speed.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs/results"
NAMES = {"mnist": "MNIST", "mnist-test": "MNIST, test part", "cmu_pie": "CMU-PIE"}


def source(result: dict[str, Any]) -> str:
    return f"`{result['command']}`, commit {result['commit']}, {result['date']}, {result['machine']}."


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"| {' | '.join(['---'] + ['---:'] * (len(header) - 1))} |"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def rivals(result: dict[str, Any]) -> str:
    parts = [
        "## Beside other tools\n",
        "The images as an array, to labels, after compilation. k is given except to `coterie auto`, evoc and\n"
        "fast-hdbscan; what a method leaves out as noise counts as one more cluster.\n",
    ]
    for name in dict.fromkeys(row["set"] for row in result["rows"]):
        rows = [
            [row["method"], *(["", "", "", "", "", row["gave_up"]] if "gave_up" in row else figures(row))]
            for row in result["rows"]
            if row["set"] == name
        ]
        parts.append(f"### {NAMES.get(name, name)}\n")
        parts.append(table(["method", "seconds", "peak GB", "ACC", "NMI", "ARI", "clusters"], rows) + "\n")
    return "\n".join([*parts, *(source(run) + "\n" for run in result["runs"])])


def figures(row: dict[str, Any]) -> list[str]:
    found = f"{row['found']}" + (f" and {row['noise']:.1%} noise" if row["noise"] else "")
    scores = [f"{row[name]:.3f}" for name in ("acc", "nmi", "ari")]
    return [f"{row['seconds']:.1f}", f"{row['peak_gb']:.2f}", *scores, found]


def scale(result: dict[str, Any]) -> str:
    header = ["images", "start clusters", "build, s", "merge, s", "stop, s", "peak GB before", "peak GB"]
    keys = ["n", "n_initial", "build_s", "merge_s", "stop_s", "graph_gb", "peak_gb"]
    rows = [[f"{row[key]:,}" for key in keys] for row in result["rows"]]
    return "\n".join(
        [
            "## The linkage alone\n",
            "A mixture of 100 Gaussians in 8 dimensions, 20 neighbours, from the graph to the whole merge history\n"
            "and the sized stop, one thread, after compilation.\n",
            table(header, rows) + "\n",
            source(result),
        ]
    )


def growth(result: dict[str, Any]) -> str:
    """The picture, and a table of seconds and memory: methods down, numbers of points across."""
    rows = result["rows"]
    sizes = sorted({row["n"] for row in rows})
    of = {(row["method"], row["n"]): row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows))
    parts = [
        "## Against the number of images\n",
        "From features to labels, after compilation: a mixture of 100 Gaussians in 8 dimensions, laid into 64 with a\n"
        "little noise in all of them. Each method goes on until a row needs too long or too much memory.\n",
        "![Seconds and peak memory against the number of points](../images/growth.svg)\n",
        table(["seconds", *(f"{n:,}" for n in sizes)], [[m, *(took(of.get((m, n))) for n in sizes)] for m in methods]),
        "",
        table(["peak GB", *(f"{n:,}" for n in sizes)], [[m, *(held(of.get((m, n))) for n in sizes)] for m in methods]),
        "",
    ]
    if ours := [row for row in rows if "stages" in row]:
        stages = list(dict.fromkeys(stage for row in ours for stage in row["stages"]))
        header = ["coterie, images", *(f"{stage}, s" for stage in stages), "recall", "peak GB", "ARI"]
        body = [
            [f"{row['n']:,}", *(f"{row['stages'].get(stage, 0):.2f}" for stage in stages), f"{row['recall']:.3f}",
             f"{row['peak_gb']:.2f}", f"{row['ari']:.3f}"]
            for row in sorted(ours, key=lambda row: int(row["n"]))
        ]  # fmt: skip
        parts += [table(header, body), ""]
    parts += [f"- {method} at {n:,}: {row['gave_up']}" for (method, n), row in of.items() if "gave_up" in row]
    return "\n".join([*parts, "", *dict.fromkeys(source(row) for row in rows)]) + "\n"


def took(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    return (
        "gave up" if "gave_up" in row else f"{row['seconds']:,.2f}" if row["seconds"] < 10 else f"{row['seconds']:,.0f}"
    )


def held(row: dict[str, Any] | None) -> str:
    return "–" if row is None or "gave_up" in row else f"{row['peak_gb']:.2f}"


def knn(result: dict[str, Any]) -> str:
    rows = [
        [f"{row['search']}, {row['input']}", f"{row['seconds']:.2f}", f"{row['recall']:.4f}"] for row in result["rows"]
    ]
    text = f"## Exact neighbours\n\nThe {result['k']} nearest of every image among all of them; best of three.\n"
    return "\n".join([text, table(["search", "seconds", "recall"], rows) + "\n", source(result)])


def pages() -> dict[Path, str]:
    """speed.md, of every JSON that is there."""
    parts = ["# Speed and memory\n"]
    for name, render in (("rivals", rivals), ("growth", growth), ("knn", knn), ("scale", scale)):
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(render(json.loads(path.read_text())) + "\n")
    return {RESULTS / "speed.md": "\n".join(parts)}


def main() -> None:
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
