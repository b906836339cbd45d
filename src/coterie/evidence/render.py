"""Pages of results out of summaries alone, as ``coterie reproduce`` and ``coterie campaign`` write them.

    made = render(read_summaries(Path("reproduced")))
    made.page                       # Markdown
    made.images                     # name of a file -> SVG, which the page shows

The same summaries give the same bytes. Nothing is typed in, and a figure that was not measured is not there.
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coterie.errors import ConfigError
from coterie.evidence.plots import Spread, difference_plot, spread_plot
from coterie.evidence.recipe import SCORES
from coterie.evidence.summary import read_summary
from coterie.metrics.significance import Ranking, friedman_nemenyi

FEWEST = 3  # methods, and sets that they have in common, for ranks

Summary = dict[str, Any]


class Rendered(NamedTuple):
    """page: Markdown that shows ``images``, name of a file -> SVG."""

    page: str
    images: dict[str, str]


def read_summaries(folder: Path) -> list[Summary]:
    """The summaries in ``folder`` (``*.json``, or ``NAME/summary.json`` as a campaign leaves them), by file name.

    Raises ConfigError when there is none, or a file is no summary of this release.
    """
    paths = sorted(folder.glob("*/summary.json")) or sorted(p for p in folder.glob("*.json") if p.stem != "campaign")
    if not paths:
        raise ConfigError(f"{folder} holds no summary; give the folder that `coterie campaign --out` wrote")
    return [read_summary(path) for path in paths]


def render(summaries: Sequence[Summary], title: str = "Results", images: str = "") -> Rendered:
    """Tables and plots set by set, and ranks over the sets where there is enough to rank.

    ``images`` stands before the names of the plots in the page: the way from the page to their folder.
    """
    parts, made = [f"# {title}", _introduction()], {}
    for name, own in by_set(summaries).items():
        file = f"results-{name.replace(' ', '-')}.svg"
        made[file] = spread_plot(f"{name}: ACC of each run", "ACC", [_spread(summary) for summary in own])
        parts += [f"## {name}", _about(own[0]), table(own), f"![ACC of every run on {name}]({images}{file})"]
    ranking = ranks(summaries)
    if ranking is not None:
        made["results-ranks.svg"] = difference_plot("Mean ranks by ACC", ranking)
    parts += [
        "## Over the sets",
        _ranked(ranking, summaries, f"{images}results-ranks.svg"),
        "## Origin",
        _origin(summaries),
    ]
    return Rendered("\n\n".join(parts) + "\n", made)


def by_set(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """set -> its summaries, the highest median of ACC first; one of several image sizes is as many sets, since figures
    of different sizes are of different things.
    """
    found: dict[str, list[Summary]] = {}
    for summary in sorted(summaries, key=lambda each: (-each["selected"]["acc"]["median"], each["recipe"]["name"])):
        found.setdefault(_measured_on(summary, summaries), []).append(summary)
    return dict(sorted(found.items()))


def _measured_on(summary: Summary, among: Sequence[Summary]) -> str:
    """The set, and the size of its images where ``among`` has it in several."""
    name, shape = summary["data"]["set"], summary["data"]["shape"]
    sizes = {tuple(other["data"]["shape"][1:]) for other in among if other["data"]["set"] == name}
    return str(name) if len(sizes) == 1 else f"{name} {' x '.join(map(str, shape[1:]))}"


def table(summaries: Sequence[Summary]) -> str:
    """A line for each summary: median, lowest and highest of each score over its runs, beside what was published."""
    header = ["recipe", "published ACC", *(name.upper() for name in SCORES), "runs", "seconds", "chosen"]
    lines = [header, ["---", *["---:"] * (len(header) - 2), "---"]]
    for summary in summaries:
        published = (summary["published"] or {}).get("acc")
        scores = [_range(summary["selected"][name]) for name in SCORES]
        chosen = ", ".join(f"{name} {n}" if n > 1 else name for name, n in summary["chosen"].items())
        lines.append([
            f"`{summary['recipe']['name']}`", "–" if published is None else share(published), *scores,
            str(len(summary["runs"])), _seconds(summary["seconds"]["median"]), chosen,
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def variant(summary: Summary) -> str:
    """What runs, whatever the set: the recipe's name without that of its set."""
    return str(summary["recipe"]["name"]).replace(f"-{summary['data']['set']}", "", 1)


def ranks(summaries: Sequence[Summary]) -> Ranking | None:
    """Friedman's and Nemenyi's ranks of the variants by their median ACC, over the sets that all of them have.

    Of variants with few sets, those with the fewest are left out until three sets are common to the rest; None when
    fewer than three variants remain.
    """
    medians: dict[str, dict[str, float]] = {}
    for summary in summaries:
        place = _measured_on(summary, summaries)
        medians.setdefault(variant(summary), {})[place] = summary["selected"]["acc"]["median"]
    kept = sorted(medians, key=lambda name: (-len(medians[name]), name))
    while len(kept) >= FEWEST:
        common = sorted(set.intersection(*(set(medians[name]) for name in kept)))
        if len(common) >= FEWEST:
            return friedman_nemenyi({name: [medians[name][each] for each in common] for name in sorted(kept)})
        kept.pop()
    return None


def share(value: float) -> str:
    """Three decimals without the leading zero."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 0.9995 else f"{value:.3f}"


def _introduction() -> str:
    return _text(
        "Made of the summaries of runs alone. Scores are of the answer that each run selected without classes: the "
        "median over its runs, and the lowest and the highest. ACC is the share of images in the right group under the "
        "best one-to-one naming, NMI has the geometric mean, ARI is corrected for chance. In the plots a dot is a run, "
        "the stroke their median, a ring what was published, which may be of another size, split or definition: "
        "`coterie published SET` tells. A single run says nothing of its spread."
    )


def _text(words: str) -> str:
    return "\n".join(textwrap.wrap(words, 120, break_long_words=False, break_on_hyphens=False))


def _about(summary: Summary) -> str:
    data = summary["data"]
    n, *shape = data["shape"]
    return _text(f"{n:,} images of {' x '.join(map(str, shape))}, {data['n_classes']} classes; {data['note']}.")


def _range(spread: Mapping[str, float | None]) -> str:
    low, middle, high = (spread[name] for name in ("min", "median", "max"))
    assert low is not None
    assert middle is not None
    assert high is not None
    return share(middle) if spread["sd"] is None else f"{share(middle)} ({share(low)}–{share(high)})"


def _spread(summary: Summary) -> Spread:
    values = tuple(run["scores"]["acc"] for run in summary["runs"])
    return Spread(summary["recipe"]["name"], values, (summary["published"] or {}).get("acc"))


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _ranked(ranking: Ranking | None, summaries: Sequence[Summary], image: str) -> str:
    if ranking is None:
        return f"No ranks: they need {FEWEST} methods that have {FEWEST} sets in common."
    pairs = [
        f"{a} and {b} ({ranking.p_pairs[i][j]:.3f})"
        for i, a in enumerate(ranking.mean_ranks)
        for j, b in enumerate(ranking.mean_ranks)
        if i < j and ranking.p_pairs[i][j] < ranking.alpha
    ]
    told = f"These differ by Nemenyi's test: {', '.join(pairs)}." if pairs else "No two differ by Nemenyi's test."
    absent = sorted({variant(summary) for summary in summaries} - set(ranking.mean_ranks))
    left_out = f" Left out, for want of common sets: {', '.join(absent)}." if absent else ""
    words = _text(
        f"Mean ranks of the median ACC over {ranking.n} sets; 1 is best. Whether all are alike: Friedman's test in the "
        f"form of Iman and Davenport, p = {ranking.p:.4f}. {told}{left_out} Ranks further apart than "
        f"{ranking.critical_difference:.2f} differ at the level {ranking.alpha:g}; a bar joins those that do not."
    )
    return f"![Mean ranks by ACC over {ranking.n} sets, with the critical difference]({image})\n\n{words}"


def _origin(summaries: Sequence[Summary]) -> str:
    lines = []
    for summary in sorted(summaries, key=lambda summary: str(summary["recipe"]["name"])):
        commits = ", ".join((commit or "none")[:7] for commit in summary["commits"])
        machines = "; ".join(dict.fromkeys(_machine(machine) for machine in summary["machines"]))
        lines.append(f"- `{summary['recipe']['name']}`: {summary['dates'][-1]}, commit {commits}, {machines}")
    return "\n".join(lines)


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['cores']} cores" + (f", {machine['gpu']}" if machine["gpu"] else "")
