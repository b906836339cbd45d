"""The end of a method that has answers of its own and that of the linkage: one is chosen, all are kept."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from coterie.clusterer import Clusterer
from coterie.graphs.affinity import smallest_variance
from coterie.graphs.grouping import Grouping, LinkageSettings
from coterie.graphs.placing import memberships_by_neighbors
from coterie.graphs.trust import reservations
from coterie.methods.answers import Answer, choose_answer, linkage_answer, linkage_attributes

LINKAGE = "linkage"


class Settled(NamedTuple):
    """answers by name; the name of the one that is ``assigned``, and a sentence why; the ``grouping`` whose neighbours
    place new images, and whether the assigned answer is its.
    """

    answers: dict[str, Answer]
    assigned: str
    because: str
    grouping: Grouping
    settings: LinkageSettings
    by_linkage: bool

    def apply(self, model: Clusterer) -> None:
        """Sets the fitted attributes of ``model``, and warns of what makes a linkage's answer less sure."""
        labels, confidence = self.answers[self.assigned]
        found = self.grouping.neighbors
        assert found is not None
        attributes: dict[str, Any] = {
            "answers_": self.answers, "assigned_": self.assigned, "assigned_because_": self.because,
            "labels_": labels, "confidence_": confidence, "n_clusters_": int(labels.max()) + 1,
            "smallest_variance_": smallest_variance(found.sq_distances), "n_neighbors_": found.indices.shape[1],
        }  # fmt: skip
        if self.by_linkage:  # else no merge history has led to it
            attributes |= linkage_attributes(self.grouping)
            for category, sentence in reservations(self.grouping, self.settings):
                warnings.warn(sentence, category, stacklevel=4)
        for name, value in attributes.items():
            setattr(model, name, value)


def settle(features: np.ndarray, own: Mapping[str, Answer], n_clusters: int, assign: str) -> Settled:
    """The answers of a method, its ``own`` and the linkage of ``features`` (n, d), with one of them assigned.

    assign: "linkage" or a name of ``own``, or "auto" (``choose_answer``).
    """
    settings = LinkageSettings(n_clusters=n_clusters)
    linkage, grouping = linkage_answer(features, settings)
    return settle_with({**own, LINKAGE: linkage}, grouping, settings, assign)


def settle_with(answers: dict[str, Answer], grouping: Grouping, settings: LinkageSettings, assign: str) -> Settled:
    """As ``settle``, of ``answers`` that have that of the linkage ``grouping`` among them."""
    assigned, because = assign, f"assign={assign!r} asked for it"
    if assign == "auto":
        assert isinstance(settings.n_clusters, int | np.integer)
        assigned, because = choose_answer(grouping.graph, answers, int(settings.n_clusters))
    return Settled(answers, assigned, because, grouping, settings, assigned == LINKAGE)


def memberships_by_embedding(model: Any, features: np.ndarray) -> np.ndarray:
    """(m, k): what the neighbours of ``features`` (m, d) in the embedding of the fitted ``model`` say."""
    return memberships_by_neighbors(
        features, model.embedding_, model.labels_, n_neighbors=model.n_neighbors_,
        smallest_variance=model.smallest_variance_,
    )  # fmt: skip


def placing_tensors(model: Any) -> dict[str, np.ndarray]:
    """What ``memberships_by_embedding`` needs of a model beside its labels and embedding."""
    return {
        "smallest_variance": np.array([model.smallest_variance_]), "n_neighbors": np.array([model.n_neighbors_]),
    }  # fmt: skip


def restore_placing(model: Any, tensors: Mapping[str, np.ndarray]) -> None:
    """Takes back what ``placing_tensors`` gave."""
    model.smallest_variance_ = float(tensors["smallest_variance"][0])
    model.n_neighbors_ = int(tensors["n_neighbors"][0])


def settled_tensors(model: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """``placing_tensors``, and which of the answers ``names`` was assigned."""
    return placing_tensors(model) | {"assigned": np.array([names.index(model.assigned_)])}


def restore_settled(model: Any, tensors: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    """Takes back what ``settled_tensors`` gave."""
    restore_placing(model, tensors)
    model.assigned_ = names[int(tensors["assigned"][0])]
