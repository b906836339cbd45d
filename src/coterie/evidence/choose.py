"""The run to trust among several of one setting, by a criterion that needs no classes.

Which criterion is a matter of evidence: docs/results/criteria.md shows what each one would have cost. The runs must be
of the same images and ask for the same number of clusters; runs of two methods have embeddings that cannot be compared.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coterie.errors import ConfigError
from coterie.evidence.criteria import CRITERIA, Candidate, candidates_in, figures
from coterie.evidence.prediction import best_by, selected
from coterie.evidence.protocol import ONLY
from coterie.files.run_folder import RunFolder

BY = ("seeds", "gap")  # the first that can be told of all runs
FEWEST_TO_AGREE = 3  # of two runs, both agree the same with the other

Row = dict[str, Any]
Agreement = Callable[[RunFolder], float | None]


class Choice(NamedTuple):
    """The run's name, its answer, the criterion, a sentence that says why, and the rows it was chosen from."""

    run: str
    answer: str
    criterion: str
    because: str
    rows: list[Row]


def gather(paths: Sequence[Path], agreement: Agreement | None = None) -> list[Candidate]:
    """The runs in ``paths``: one folder of ``coterie reproduce``, or run folders of ``coterie cluster``.

    ``agreement`` measures that criterion of a run folder, which does not hold it, with its model and images.

    Raises ConfigError when there are fewer than two, or they are not of the same images and number of groups;
    RunFolderError for a run folder that is none.
    """
    of_reproduce = len(paths) == 1 and any(paths[0].glob("seed-*.json"))
    found = candidates_in(paths[0]) if of_reproduce else _runs(paths, agreement)
    if len(found) < 2:
        raise ConfigError("there is one run, and nothing to choose from; give several, with different seeds")
    if len(asked := {candidate.n_clusters for candidate in found}) > 1:
        raise ConfigError(f"the runs have different numbers of groups ({', '.join(map(str, sorted(asked)))})")
    return found


def choose(candidates: Sequence[Candidate], by: str | None = None) -> Choice:
    """The run whose own answer has the largest ``by`` of ``CRITERIA``, the first of equals; None takes ``BY``.

    Raises ConfigError when a run does not have that criterion, or none of ``BY`` can be told of all.
    """
    if by is not None and by not in CRITERIA:
        raise ConfigError(f"the criterion {by!r} is not known; expected one of {', '.join(CRITERIA)}")
    rows = figures(candidates)
    own = selected(rows)
    told = [name for name in (by,) if name] or [name for name in BY if _tells(own, name)]
    if not told or not _tells(own, told[0]):
        raise ConfigError(_why_not(own, by))
    criterion = told[0]
    best = best_by(own, criterion)
    return Choice(own[best[0]]["run"], own[best[0]]["answer"], criterion, _sentence(own, best, criterion), rows)


def _runs(paths: Sequence[Path], agreement: Agreement | None) -> list[Candidate]:
    opened = [RunFolder.open(path) for path in paths]
    names = [run.names for run in opened]
    for path, own in zip(paths, names, strict=True):
        if own != names[0]:
            raise ConfigError(f"{path} is not of the same images in the same order as {paths[0]}")
    return [_candidate(run, agreement) for run in opened]


def _candidate(run: RunFolder, agreement: Agreement | None) -> Candidate:
    answers, told = run.answers, run.info.get("answers")
    if answers is None or told is None:  # a method with a single answer
        answers, chosen = {ONLY: run.labels}, ONLY
    else:
        chosen = told["chosen"]
    return Candidate(
        name=str(run.path), answers=answers, chosen=chosen, embedding=run.embedding, n_clusters=_asked(run),
        loss=_last_loss(run), agreement=agreement(run) if agreement else None,
    )  # fmt: skip


def _asked(run: RunFolder) -> int:
    """The number of groups that was asked for, of which some may be empty; those there are where it was chosen."""
    asked = run.info.get("config", {}).get("n_clusters")
    return asked if isinstance(asked, int) else int(run.labels.max()) + 1


def _last_loss(run: RunFolder) -> float | None:
    loss = run.training[-1].get("loss") if run.training else None
    return float(loss) if isinstance(loss, int | float) else None


def _tells(rows: Sequence[Row], criterion: str) -> bool:
    if criterion == "seeds" and len(rows) < FEWEST_TO_AGREE:
        return False
    return all(row[criterion] is not None for row in rows)


def _why_not(rows: Sequence[Row], by: str | None) -> str:
    if by not in (None, "seeds"):
        missing = next(row["run"] for row in rows if row[by] is None)
        return f"{missing} has no {by}; choose by another criterion"
    few = f"there are {len(rows)} runs, and of two each agrees the same with the other: give {FEWEST_TO_AGREE} or more"
    return few if by == "seeds" else f"the runs keep no embedding, and {few}"


def _sentence(rows: Sequence[Row], best: Sequence[int], criterion: str) -> str:
    values = sorted((row[criterion] for row in rows), reverse=True)
    first, rest = rows[best[0]][criterion], [value for value in values if value != values[0]]
    if not rest:
        return f"all {len(rows)} have the same {criterion}, {first:.4f}: it is only the first of them"
    others = f"the others have {rest[0]:.4f}" + (f" to {rest[-1]:.4f}" if len(rest) > 1 else "")
    tie = f", shared with {', '.join(rows[i]['run'] for i in best[1:])}" if len(best) > 1 else ""
    return f"its {criterion} is the largest, {first:.4f}{tie}; {others} ({CRITERIA[criterion]})"
