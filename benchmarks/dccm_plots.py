"""The plots of docs/results/dccm.md, as SVG that is the same byte for byte whenever the rows are the same."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jule_plots import COLOURS, MARKS, STYLE
from jule_plots import _svg as as_svg
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]
MARKED = 0.95  # the threshold of the pseudo-graph
FIRST_BIN = 1  # of ten classes the largest probability is .1 at least


def bcubed_plot(rows: Sequence[Row]) -> str:
    """Precision against recall of the pseudo-graph, a line for each epoch, with a point at the threshold of .95."""
    with mpl.rc_context(STYLE):
        figure, axis = _one("recall", "precision")
        for i, row in enumerate(rows):
            colour = COLOURS[i % len(COLOURS)]
            axis.plot(row["recall"], row["precision"], color=colour, label=_epoch(row))
            at = int(np.argmin(np.abs(np.asarray(row["thresholds"]) - MARKED)))
            axis.plot(row["recall"][at], row["precision"][at], color=colour, marker="o")
        axis.set_ylim(0, 1.02)
        axis.legend(loc="lower left")
        return as_svg(figure)


def histogram_plot(rows: Sequence[Row]) -> str:
    """Shares of images by their largest probability, in tenths, the first and the last of ``rows`` side by side."""
    ends = [rows[0], rows[-1]] if len(rows) > 1 else list(rows)
    with mpl.rc_context(STYLE):
        figure, axis = _one("largest probability", "share of the images")
        for i, row in enumerate(ends):
            shares = row["top_probability"][FIRST_BIN:]
            places = (np.arange(len(shares)) + FIRST_BIN + 0.3 + 0.4 * i) / 10
            axis.bar(places, shares, 0.04, color=COLOURS[i], label=_epoch(row))
        axis.legend(loc="upper left")
        return as_svg(figure)


def tsne_plot(rows: Sequence[Row]) -> str:
    """The features in two dimensions, a panel for each epoch, coloured by class."""
    colours = mpl.colormaps["tab10"].colors
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * len(rows), 2.6), layout="constrained")
        axes = figure.subplots(1, len(rows), squeeze=False)[0]
        for axis, row in zip(axes, rows, strict=True):
            places = np.asarray(row["tsne"]["positions"])
            shown = [colours[known % len(colours)] for known in row["tsne"]["classes"]]
            axis.scatter(places[:, 0], places[:, 1], s=1.5, c=shown, linewidths=0, rasterized=True)
            axis.set_title(_epoch(row))
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(visible=False)
        return as_svg(figure)


def thresholds_plot(rows: Sequence[Row]) -> str:
    """ACC of both answers against the probability from which on an image is sure; a point for each seed."""
    with mpl.rc_context(STYLE):
        figure, axis = _one("label_threshold", "ACC")
        for i, answer in enumerate(("head", "linkage")):
            x = [row["parameters"]["label_threshold"] for row in rows]
            y = [row["answers"][answer]["acc"] for row in rows]
            axis.plot(x, y, color=COLOURS[i], marker=MARKS[i], linestyle="", label=answer)
        axis.legend(loc="lower right")
        return as_svg(figure)


def _one(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.2, 3.2), layout="constrained")
    axis = figure.subplots()
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    return figure, axis


def _epoch(row: Row) -> str:
    return f"epoch {row['epoch']}" if row["epoch"] else "before training"
