"""docs/results/speed.md out of rivals, growth, knn, scale, training and augment.json; no number is typed here.

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
    """The picture, and tables of seconds, memory and ARI: methods down, numbers of points across."""
    rows = result["rows"]
    sizes = sorted({row["n"] for row in rows})
    of = {(row["method"], row["n"]): row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows))
    parts = [
        "## Against the number of images\n",
        "From features to labels, after compilation: a mixture of 100 Gaussians in 8 dimensions, laid into 64 with a\n"
        "little noise in all of them. Each method goes on until a row needs too long or too much memory. Gaussians\n"
        "are what k-means assumes; they overlap, and a method that follows the density of points sees no gap there.\n",
        "![Seconds and peak memory against the number of points](../images/growth.svg)\n",
    ]
    for title, key, digits in (("seconds", "seconds", 2), ("peak GB", "peak_gb", 2), ("ARI", "ari", 3)):
        lines = [[method, *(cell(of.get((method, n)), key, digits) for n in sizes)] for method in methods]
        parts += [table([title, *(f"{n:,}" for n in sizes)], lines), ""]
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


def cell(row: dict[str, Any] | None, key: str, digits: int) -> str:
    if row is None or "gave_up" in row:
        return "–" if row is None else "gave up"
    return f"{row[key]:,.{digits if row[key] < 10 else 0}f}"


def knn(result: dict[str, Any]) -> str:
    rows = [
        [f"{row['search']}, {row['input']}", f"{row['seconds']:.2f}", f"{row['recall']:.4f}"] for row in result["rows"]
    ]
    text = f"## Exact neighbours\n\nThe {result['k']} nearest of every image among all of them; best of three.\n"
    return "\n".join([text, table(["search", "seconds", "recall"], rows) + "\n", source(result)])


def training(result: dict[str, Any]) -> str:
    header = ["method, set", "batch", "precision", "threads", "bare step, images/s", "method, images/s", "kept"]
    rows = [
        [f"{row['method']}, {row['set']}", str(row["batch_size"]), row["precision"], str(row["threads"]),
         f"{row['bare_images_per_second']:,}", f"{row['images_per_second']:,}", f"{row['kept']:.1%}"]
        for row in result["rows"]
    ]  # fmt: skip
    text = (
        "## Training\n\nImages per second of a method's epochs beside its bare step: the same networks, optimiser and\n"
        "batch on images that lie ready, augmented where the method augments; TCC's has all its losses too.\n"
    )
    return "\n".join([text, table(header, rows) + "\n", *dict.fromkeys(source(row) + "\n" for row in result["rows"])])


def augment(result: dict[str, Any]) -> str:
    header = ["preset, batch", "threads", "images/s", "kornia, images/s", "ratio"]
    rows = [
        [f"{row['preset']}, {' x '.join(map(str, row['shape']))}", str(row["threads"]),
         f"{row['images_per_second']:,}", f"{row['kornia_images_per_second']:,}", f"{row['ratio']:.2f}"]
        for row in result["rows"]
    ]  # fmt: skip
    text = "## Augmentation\n\nThe same steps by coterie and by kornia, in turns in one process.\n"
    return "\n".join([text, table(header, rows) + "\n", source(result)])


SECTIONS = {
    "rivals": rivals,
    "growth": growth,
    "knn": knn,
    "scale": scale,
    "training": training,
    "augment": augment,
}


def pages() -> dict[Path, str]:
    """speed.md, of every JSON that is there."""
    parts = ["# Speed and memory\n"]
    for name, render in SECTIONS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(render(json.loads(path.read_text())) + "\n")
    return {RESULTS / "speed.md": "\n".join(parts)}


def main() -> None:
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
