"""Criteria of every run and answer that need no classes, where several runs of one setting are to be compared.

    rows = figures(candidates_in(Path("reproduced/jule-usps")))   # a row for each run and answer, with every criterion

Every criterion is a number of which larger is better, or None where it cannot be told. ``evidence.prediction`` says how
well each orders runs whose classes are known, ``evidence.choose`` chooses by one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coterie.errors import ConfigError
from coterie.evidence.protocol import EMBEDDING
from coterie.evidence.reproduce import records_in
from coterie.evidence.summary import is_of_another
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.grouping import LinkageSettings, group_neighbors, neighbors_for
from coterie.graphs.knn import Neighbors
from coterie.graphs.neighbors import find_neighbors
from coterie.metrics import sampled_silhouette, uniformity_index
from coterie.metrics.edges import edge_shares, merge_gap
from coterie.metrics.stability import pairwise_agreement

CRITERIA = {
    "seeds": "mean adjusted Rand index with the same answer of the other runs",
    "answers": "mean adjusted Rand index with the other answers of the same run",
    "entropy": "entropy of the cluster sizes, as a share of the largest possible",
    "silhouette": "mean silhouette of 2,000 images in the run's embedding",
    "inside": "share of the edge weight of the embedding's neighbour graph that clusters keep inside, mean of clusters",
    "gap": "the same, less the share that leads to the nearest other cluster",
    "merge gap": "last merger made against first refused, by a linkage of the embedding",
    "loss": "the training loss of the last epoch, negated",
    "agreement": "share of 2,000 images whose group is also that of a slightly changed variant; of the chosen answer",
}
SAMPLE = 2000
STRAYS = 20  # clusters smaller than this part of an even one are strays, for the merge gap
DIGITS = 9  # criteria that agree so far are equal

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A run to choose or not.

    Attributes:
        name: of the run, unique among its rivals.
        answers: name of an answer -> labels (n,).
        chosen: the answer that the run selected itself.
        embedding: (n, d) float32, or None.
        n_clusters: the number that was asked for.
        loss: of the last epoch, or None.
        agreement: of the chosen answer under changes of the images, or None where it was not noted.
        scores: name of an answer -> acc, nmi, ari; empty where classes are not known.
    """

    name: str
    answers: dict[str, np.ndarray]
    chosen: str
    embedding: np.ndarray | None
    n_clusters: int
    loss: float | None = None
    agreement: float | None = None
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


def candidates_in(folder: Path) -> list[Candidate]:
    """The seeds that ``coterie reproduce`` has in ``folder``; ConfigError where it holds none or one is damaged."""
    records = records_in(folder)
    if not records:
        raise ConfigError(f"{folder} holds no seed-*.json; give a folder that `coterie reproduce` wrote")
    return [_candidate(folder / f"seed-{seed}.npz", seed, records[seed]) for seed in sorted(records)]


def _candidate(path: Path, seed: int, record: dict[str, Any]) -> Candidate:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): delete it and its record to run that seed again"
        ) from error
    embedding = kept.pop(EMBEDDING, None)
    epoch = record["last_epoch"] or {}
    loss = epoch.get("loss")
    return Candidate(
        name=f"seed {seed}", answers=kept, chosen=record["chosen"], embedding=embedding,
        n_clusters=record["parameters"].get("n_clusters") or record["data"]["n_classes"],
        loss=float(loss) if isinstance(loss, int | float) else None, scores=record["answers"],
        agreement=record.get("agreement"),  # records of before 2026-11-26 have none
    )  # fmt: skip


def figures(candidates: Sequence[Candidate]) -> list[Row]:
    """A row for each answer of each candidate: ``run``, ``answer``, ``chosen`` (whether the run selected it), every
    criterion, and acc, nmi and ari where classes are known. Answers of trainings that a run did not choose itself are
    left out: the second training of one seed has nothing to do with the second of another.

    Raises ConfigError when the candidates are not of the same images.
    """
    candidates = [
        replace(one, answers={name: labels for name, labels in one.answers.items() if not is_of_another(name)})
        for one in candidates
    ]
    counts = {len(labels) for candidate in candidates for labels in candidate.answers.values()}
    if len(counts) != 1:
        raise ConfigError(f"the runs are of different numbers of images ({', '.join(map(str, sorted(counts)))})")
    across = _across_runs(candidates)
    rows = []
    for candidate in candidates:
        graph, agreement = _graph(candidate), _across_answers(candidate)
        shared = _of_the_run(candidate, graph)
        for answer, labels in candidate.answers.items():
            own = {"seeds": across.get((candidate.name, answer)), "answers": agreement.get(answer)}
            own |= _of_the_answer(candidate, labels, graph) | shared
            own["agreement"] = candidate.agreement if answer == candidate.chosen else None
            rows.append({
                "run": candidate.name, "answer": answer, "chosen": answer == candidate.chosen,
                **{name: _plain(own[name]) for name in CRITERIA},
                **{name: candidate.scores[answer][name] for name in ("acc", "nmi", "ari") if candidate.scores},
            })  # fmt: skip
    return rows


# --- the criteria ----------------------------------------------------------------------------------------------------


def _across_runs(candidates: Sequence[Candidate]) -> dict[tuple[str, str], float]:
    """(run, answer) -> mean agreement with the same answer of the others; absent where no other has it."""
    found: dict[tuple[str, str], float] = {}
    for answer in dict.fromkeys(name for candidate in candidates for name in candidate.answers):
        having = [candidate for candidate in candidates if answer in candidate.answers]
        if len(having) > 1:
            means = _mean_of_others([candidate.answers[answer] for candidate in having])
            found |= {(one.name, answer): mean for one, mean in zip(having, means, strict=True)}
    return found


def _across_answers(candidate: Candidate) -> dict[str, float]:
    """answer -> mean agreement with the run's others; empty where it is the only one."""
    if len(candidate.answers) < 2:
        return {}
    means = _mean_of_others(list(candidate.answers.values()))
    return dict(zip(candidate.answers, means, strict=True))


def _mean_of_others(groupings: Sequence[np.ndarray]) -> list[float]:
    matrix = pairwise_agreement(groupings)
    means: list[float] = ((matrix.sum(axis=1) - 1) / (len(matrix) - 1)).tolist()
    return means


class _Graph(NamedTuple):
    """The neighbours of a run's embedding, as many as the linkage would take, and the weights (n, K) of their edges."""

    neighbors: Neighbors
    weights: np.ndarray


def _graph(candidate: Candidate) -> _Graph | None:
    if candidate.embedding is None:
        return None
    found = find_neighbors(candidate.embedding, neighbors_for(len(candidate.embedding), candidate.n_clusters))
    return _Graph(found, affinity_graph(found).weights.reshape(found.indices.shape))


def _of_the_answer(candidate: Candidate, labels: np.ndarray, graph: _Graph | None) -> dict[str, float | None]:
    entropy = uniformity_index(labels, max(candidate.n_clusters, len(np.unique(labels))))
    if candidate.embedding is None or graph is None:
        return {"entropy": entropy, "silhouette": None, "inside": None, "gap": None}
    shares = edge_shares(graph.neighbors.indices, graph.weights, labels)
    # a cluster that was asked for and is empty keeps nothing
    used = len(shares.inside) / max(candidate.n_clusters, len(shares.inside))
    several = len(shares.inside) > 1
    silhouette = sampled_silhouette(candidate.embedding, labels, SAMPLE) if several else None
    return {"entropy": entropy, "silhouette": silhouette, "inside": shares.mean_inside * used, "gap": shares.gap * used}


def _of_the_run(candidate: Candidate, graph: _Graph | None) -> dict[str, float | None]:
    k, gap = candidate.n_clusters, None
    if candidate.embedding is not None and graph is not None and k > 1:
        grouping = group_neighbors(graph.neighbors, candidate.embedding, LinkageSettings(n_clusters=k))
        history = grouping.history
        sizes = np.concatenate([np.bincount(history.initial), history.size])
        smaller = sizes[history.merges].min(axis=1)
        gap = merge_gap(history.affinity, smaller, k, len(candidate.embedding) / (STRAYS * k))
    return {"merge gap": gap, "loss": None if candidate.loss is None else -candidate.loss}


def _plain(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), DIGITS)
