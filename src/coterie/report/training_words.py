"""What the page says of a training: how long, and which answers came out of it."""

from typing import Any

from coterie.files.run_folder import RunFolder
from coterie.report.group_pictures import drawn, other_groupings
from coterie.report.numbers import number_text
from coterie.report.runs import runs_words

# What each answer of our methods is; one that we do not know keeps its name alone.
ANSWERS = {
    "sf": "the groups that the training itself ended with",
    "rc": "the paper's linkage on what was learned",
    "robust": "linkage with local scale and sized stop on what was learned",
    "head": "the network's own output",
    "linkage": "linkage on what was learned",
    "student": "a small network taught by the surest of the linkage",
}
# The same of the other trainings of a method that trains several times, whose names begin so.
OF_OTHERS = {"run-": "the same of another training", "linkage-of-run-": "linkage on what another training learned"}
# What was taken for a parameter, and the reason after a colon.
TAKEN = {"trunk": "Its trunk is {}", "augment": "The images it learned from were varied as the preset {} says"}
SCORES = {"accuracy": "ACC", "nmi_geometric": "NMI", "ari": "ARI"}


def training_words(run: RunFolder, time: str) -> dict[str, Any] | None:
    """``sentence``, ``taken`` (trunk and augmentation, or ""), ``clouds`` (what the clouds show, or ""), ``attention``,
    ``answers``, ``runs``, ``drawn`` and ``others``; None when nothing was learned.

    ``time`` is how long the training took, in words.
    """
    answers = _answers(run.info.get("answers"))
    if not (run.training or run.snapshots or answers):
        return None
    attention = _attention(run)
    return {
        "sentence": _sentence(run, time),
        "taken": _taken(run.info.get("taken")),
        "clouds": _clouds(run),
        "attention": attention,
        "answers": answers,
        "runs": runs_words(run),
        "drawn": drawn(run),
        "others": other_groupings(run),
    }


def _sentence(run: RunFolder, time: str) -> str:
    n = len(run.training or [])
    if not n:
        return ""
    took = f", in {time}" if time else ""
    if isinstance(iterations := (run.training or [{}])[-1].get("iteration"), int):  # not passes through the images
        return (
            "Networks learned to make images of each group, and to tell of an image which group it is of: "
            f"{iterations:,} updates of the one that makes them{took}. "
            "Each curve follows one figure through them; point at it to read it. All figures stand in "
        )
    times = "once" if n == 1 else f"{n:,} times"
    return (
        f"A network learned what to compare the images by while it grouped them: it went through them {times}{took}. "
        "Each curve follows one figure from epoch to epoch; point at it to read it. All figures stand in "
    )


def _taken(told: Any) -> str:
    rows = told if isinstance(told, dict) else {}
    known = ((text, row) for name, text in TAKEN.items() if isinstance(row := rows.get(name), dict))
    return " ".join(f"{text.format(row.get('name', ''))}: {row.get('because', '')}." for text, row in known)


def _clouds(run: RunFolder) -> str:
    if not run.snapshots:
        return ""
    most = max(len(snapshot.labels) for snapshot in run.snapshots)
    some = "the images" if most >= len(run.names) else f"{most:,} of the images"
    return (
        f"What the network had made of {some} at some moments, drawn in the three directions in which they differ most "
        "and coloured by the groups of that moment. Drag a cloud to turn it, or use the arrow keys."
    )


def _attention(run: RunFolder) -> dict[str, Any] | None:
    """``title`` and ``sentence`` of the images shown, and ``has_maps``; None for a method that does not look."""
    if run.attention is None:
        return None
    has_maps = run.attention["maps"].size > 0
    said = (
        "Beside each image stands how much the network's own output gave it to each of "
        f"{run.attention['shares'].shape[1]:,} clusters, in the colours of the groups. The surest images of each group "
        "are shown."
    )
    if not has_maps:
        return {"title": "What it said", "sentence": said, "has_maps": False}
    looked = "Red is where the network looked most to see what an image is, blue what it passed over."
    return {"title": "Where it looked", "sentence": f"{looked} {said}", "has_maps": True}


def _answers(told: Any) -> dict[str, Any] | None:
    if not isinstance(told, dict) or not isinstance(told.get("answers"), list):
        return None
    rows = [row for row in told["answers"] if isinstance(row, dict)]
    if not rows:
        return None
    scored = [key for key in SCORES if any(key in _scores(row) for row in rows)]
    chosen = str(told.get("chosen", ""))
    because = str(told.get("because", "")).strip().rstrip(".")
    return {
        "because": f"The run gives the answer {chosen}" + (f": {because}." if because else "."),
        "columns": [SCORES[key] for key in scored],
        "rows": [_row(row, scored, chosen) for row in rows],
    }


def _row(row: dict[str, Any], scored: list[str], chosen: str) -> dict[str, Any]:
    name = str(row.get("name", ""))
    return {
        "name": name,
        "meaning": ANSWERS.get(name) or next((said for start, said in OF_OTHERS.items() if name.startswith(start)), ""),
        "n_clusters": number_text(row.get("n_clusters")),
        "ari": number_text(row.get("ari")),
        "scores": [number_text(_scores(row).get(key)) for key in scored],
        "chosen": name == chosen,
    }


def _scores(row: dict[str, Any]) -> dict[str, Any]:
    scores = row.get("scores")
    return scores if isinstance(scores, dict) else {}
