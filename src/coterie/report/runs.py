"""Several trainings side by side: their figures, and how alike they group."""

from typing import Any

from coterie.files.run_folder import RunFolder
from coterie.report.numbers import number_text
from coterie.report.scores import MEANINGS

# Figure of a row -> its column, in this order; what a row has beyond them stands in run.json alone.
COLUMNS = {
    "eta": "Eta", "n_noise": "Noise", "noise_scale": "Noise scale", "class_noise": "Classifier noise",
    "iteration": "Iteration", "kept": "Kept inside", "wasserstein": "Distance", "entropy": "Entropy",
    "marginal": "Shares", "agreement": "Stable", "medoid": "Alike", "mean_rank": "Mean rank",
}  # fmt: skip


def runs_words(run: RunFolder) -> dict[str, Any] | None:
    """``columns``, ``rows`` (number, figures as text, notes), ``nmi`` and ``scores`` (rows of text, each possibly none)
    of the trainings in run.json, and ``n_others``, how many group by something else; None when there are not several.
    """
    told = run.info.get("answers")
    rows = told.get("runs") if isinstance(told, dict) else None
    if not isinstance(rows, list) or len(rows) < 2 or not all(isinstance(row, dict) for row in rows):
        return None
    assert isinstance(told, dict)
    columns = [name for name in COLUMNS if all(name in row for row in rows)]
    chosen, named = told.get("chosen_run"), told.get("alternatives")
    others = named if isinstance(named, list) else []
    return {
        "columns": [COLUMNS[name] for name in columns],
        "rows": [
            {
                "run": row.get("run"), "figures": [number_text(row[name]) for name in columns],
                "chosen": row.get("run") == chosen, "note": _note(row, chosen, others),
            }
            for row in rows
        ],
        "n_others": len(others),
        "nmi": [[number_text(value) for value in line] for line in told.get("nmi") or []],
        "scores": _scores(told.get("scores_of_runs")),
    }  # fmt: skip


def _scores(spreads: Any) -> list[list[str]]:
    """The name of each score with its lowest, median and highest over the trainings."""
    if not isinstance(spreads, dict):
        return []
    return [
        [MEANINGS.get(key, (key, ""))[0], *(number_text(spread.get(name)) for name in ("min", "median", "max"))]
        for key, spread in spreads.items()
        if isinstance(spread, dict)
    ]


def _note(row: dict[str, Any], chosen: Any, others: list[Any]) -> str:
    role = "chosen" if row.get("run") == chosen else "groups by something else" if row.get("run") in others else ""
    drift = "drifted away" if row.get("drifting") else ""
    collapse = "crowded into few clusters" if row.get("collapsed") else ""
    return ", ".join(filter(None, (role, drift, collapse)))
