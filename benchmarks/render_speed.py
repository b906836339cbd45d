"""docs/results/speed.md out of rivals.json, knn.json and scale.json. Every number stands in a JSON; none is typed here.

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


def knn(result: dict[str, Any]) -> str:
    rows = [
        [f"{row['search']}, {row['input']}", f"{row['seconds']:.2f}", f"{row['recall']:.4f}"] for row in result["rows"]
    ]
    text = f"## Exact neighbours\n\nThe {result['k']} nearest of every image among all of them; best of three.\n"
    return "\n".join([text, table(["search", "seconds", "recall"], rows) + "\n", source(result)])


def main() -> None:
    parts = ["# Speed and memory\n"]
    for name, render in (("rivals", rivals), ("knn", knn), ("scale", scale)):
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(render(json.loads(path.read_text())) + "\n")
    (RESULTS / "speed.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
