"""The plots of docs/results/jule.md, as SVG that is the same byte for byte whenever the rows are the same."""

import io
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]
# Okabe and Ito: told apart by people who do not see all colours.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
MARKS = ["o", "s", "^", "D", "v", "P", "X"]
GREY = "#8a8a8a"
STYLE = {
    "svg.hashsalt": "coterie", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e6e6e6",
    "axes.axisbelow": True, "legend.frameon": False, "lines.linewidth": 1.4, "lines.markersize": 4,
}  # fmt: skip


def alpha_plot(rows: list[Row], titles: dict[str, str], names: dict[str, str]) -> str:
    """NMI against alpha above, the time of the merge stage beside the exact rule's below; a column for each linkage."""
    linkages = [linkage for linkage in titles if any(row["linkage"] == linkage for row in rows)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3 * len(linkages) + 0.4, 5.2), layout="constrained")
        axes = figure.subplots(2, len(linkages), sharex=True, sharey="row", squeeze=False)
        for column, linkage in enumerate(linkages):
            for i, name in enumerate(names):
                own = [row for row in rows if (row["linkage"], row["set"]) == (linkage, name)]
                if own:
                    _alpha_lines(axes[:, column], own, COLOURS[i % 7], MARKS[i % 7], names[name])
            axes[0, column].set_title(titles[linkage])
            axes[1, column].set_xlabel("alpha")
        axes[0, 0].set_ylabel("NMI; dashed: exact")
        axes[1, 0].set_ylabel("time of the merge stage,\nexact = 1")
        axes[1, 0].set_ylim(bottom=0)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
        return _svg(figure)


def _alpha_lines(axes: Sequence[Axes], rows: list[Row], colour: str, mark: str, label: str) -> None:
    exact = next(row for row in rows if row["rule"] == "exact")
    swept = sorted((row for row in rows if row["rule"] == "constant_ratio"), key=lambda row: row["alpha"])
    alphas = [row["alpha"] for row in swept]
    axes[0].axhline(exact["nmi"], color=colour, linestyle="--", linewidth=0.8)
    axes[0].plot(alphas, [row["nmi"] for row in swept], color=colour, marker=mark, label=label)
    axes[1].plot(alphas, [row["cpu_seconds"] / exact["cpu_seconds"] for row in swept], color=colour, marker=mark)


def sweep_plot(rows: list[Row], label: str, answers: dict[str, str], names: dict[str, str]) -> str:
    """NMI of each answer against the value that was varied: the median over seeds, and a band to the extremes."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * len(sets) + 0.4, 3.2), layout="constrained")
        axes = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
        for axis, name in zip(axes, sets, strict=True):
            own = [row for row in rows if row["set"] == name]
            values = sorted({row["value"] for row in own})
            for i, answer in enumerate(answers):
                runs = [[row["answers"][answer]["nmi"] for row in own if row["value"] == value] for value in values]
                axis.fill_between(values, [min(run) for run in runs], [max(run) for run in runs], color=COLOURS[i],
                                  alpha=0.15, linewidth=0)  # fmt: skip
                middle = [median(run) for run in runs]
                axis.plot(values, middle, color=COLOURS[i], marker=MARKS[i], label=answers[answer])
            axis.set_title(names.get(name, name))
            axis.set_xlabel(label)
        axes[0].set_ylabel("NMI")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(answers))
        return _svg(figure)


def purity_plot(rows: list[Row], names: dict[str, str]) -> str:
    """Purity against the number of neighbours: pixels dashed, each recipe's embedding (median over seeds) solid."""
    sets = [name for name in names if any(row["set"] == name for row in rows)]
    columns = min(3, len(sets))
    with mpl.rc_context(STYLE):
        lines = -(-len(sets) // columns)
        figure = Figure(figsize=(2.9 * columns + 0.4, 2.3 * lines + 0.4), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, squeeze=False).ravel()
        for axis, name in zip(axes, sets, strict=False):
            _purity_lines(axis, [row for row in rows if row["set"] == name])
            axis.set_title(names[name])
        for axis in axes[len(sets) :]:
            axis.set_visible(False)
        for axis in axes[len(sets) - columns : len(sets)]:  # the lowest of each column
            axis.set_xlabel("neighbours K")
            axis.tick_params(labelbottom=True)
        for axis in axes[::columns]:
            axis.set_ylabel("of the same class")
        found: dict[str, Any] = {}
        for axis in axes[: len(sets)]:
            handles, labels = axis.get_legend_handles_labels()
            found |= dict(zip(labels, handles, strict=True))
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=3)
        return _svg(figure)


def _purity_lines(axis: Axes, rows: list[Row]) -> None:
    for row in rows:
        if row["features"] == "pixels":
            axis.plot(row["ks"], row["purity"], color=GREY, linestyle="--", label="pixels")
    recipes = list(dict.fromkeys(row["recipe"] for row in rows if row["features"] == "embedding"))
    for i, recipe in enumerate(recipes):
        runs = [row for row in rows if row.get("recipe") == recipe]
        middle = [median(values) for values in zip(*(row["purity"] for row in runs), strict=True)]
        axis.plot(runs[0]["ks"], middle, color=COLOURS[i % 7], label=f"embedding of {recipe}")


def clusterers_plot(pairs: dict[str, list[tuple[str, float, float | None]]], names: dict[str, str]) -> str:
    """A panel for each set: from the ACC on pixels (grey) to that on the embedding, a line for each clusterer.

    pairs: set -> (clusterer, ACC on pixels, ACC on the embedding or None).
    """
    with mpl.rc_context(STYLE):
        tall = max(len(rows) for rows in pairs.values())
        figure = Figure(figsize=(2.5 * len(pairs) + 1.2, 0.3 * tall + 1.2), layout="constrained")
        axes = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
        for axis, (name, rows) in zip(axes, pairs.items(), strict=True):
            for height, (_, pixels, embedding) in enumerate(rows):
                if embedding is not None:
                    axis.plot([pixels, embedding], [height, height], color="#c9d6df", linewidth=2.5, zorder=1)
                    axis.plot(embedding, height, color=COLOURS[0], marker="o", linestyle="", label="embedding")
                axis.plot(pixels, height, color=GREY, marker="s", linestyle="", label="pixels")
            axis.set_title(names.get(name, name))
            axis.set_xlim(0, 1.03)
            axis.set_xlabel("ACC")
            axis.set_yticks(range(len(rows)), [clusterer for clusterer, _, _ in rows])
        axes[0].invert_yaxis()
        found = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=2)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def in_order(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order they come."""
    return list(dict.fromkeys(values))
