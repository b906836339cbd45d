"""Which run answers, which found something else, and which drifted away: without labels."""

from typing import Any

import numpy as np
import pytest

from coterie.methods.run_choice import (
    CRITERIA,
    Figures,
    at_moments,
    best_first,
    best_moments,
    best_run,
    collapsed,
    correlations,
    drifts,
    figures_of,
    mean_ranks,
    moment_ranks,
    other_features,
    pairwise_nmi,
    spread,
)
from coterie.methods.run_tables import moment_table, run_table, told_of_moment, told_of_others


def sure(labels: np.ndarray, k: int = 2, share: float = 0.98) -> np.ndarray:
    """(n, r, k) shares whose largest is at ``labels`` (n, r)."""
    rest = (1 - share) / (k - 1)
    return np.where(np.eye(k, dtype=bool)[labels], share, rest)


def figures(**changes: Any) -> Figures:
    own = {name: np.zeros(3) for name in CRITERIA} | {name: np.zeros(3, bool) for name in ("drifting", "collapsed")}
    return Figures(**{**own, **{name: np.asarray(value) for name, value in changes.items()}})


HALVES = np.arange(200) % 2
QUARTERS = np.arange(200) // 100
LABELS = np.stack([HALVES, QUARTERS, 1 - HALVES], axis=1)
UNIFORM = np.full((3, 2), 0.5)
SAME = np.full(3, 0.5)  # of the neighbour graph, kept by each run


def test_the_figures_are_what_their_names_say() -> None:
    changed = LABELS.copy()
    changed[:50, 1] = 1 - changed[:50, 1]
    prior = np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    found = figures_of(sure(LABELS), changed, np.array([0.1, 0.2, 0.3]), prior, np.zeros(3, dtype=bool))
    entropy = -(0.98 * np.log(0.98) + 0.02 * np.log(0.02))
    np.testing.assert_allclose(found.entropy, entropy)
    np.testing.assert_allclose(found.marginal, [0, 0, 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)], atol=1e-12)
    np.testing.assert_allclose(found.agreement, [1, 0.75, 1])
    np.testing.assert_allclose(found.medoid, [0.5, 0, 0.5], atol=0.01)
    np.testing.assert_allclose(found.wasserstein, [0.1, 0.2, 0.3])


def test_a_run_that_cuts_less_than_half_of_what_others_cut_answers_whatever_the_ranks_say() -> None:
    ranked, kept = figures(wasserstein=[0.1, 0.3, 0.2]), np.array([0.9, 0.991, 0.95])
    best, because = best_run(ranked, kept)
    assert best == 1
    assert because.startswith("run 2 of 3 cuts 0.9% of the neighbour graph of its own features, less than half of what")
    assert best_first(ranked, kept) == [1, 0, 2]
    lost = ranked._replace(collapsed=np.array([False, True, False]))
    assert best_first(lost, kept) == [0, 2, 1]
    assert best_run(lost, kept)[1].startswith("run 1 of 3 has, of the 2 runs that cut little, the best mean rank in")
    alone = ranked._replace(collapsed=np.array([True, True, False]))
    assert best_run(alone, kept)[1].startswith("run 3 of 3 cuts 5.0%")


def test_a_run_that_cuts_hardly_less_than_another_does_not_answer_for_it() -> None:
    assert best_first(figures(wasserstein=[0.1, 0.3, 0.2]), np.array([0.9, 0.94, 0.85])) == [0, 1, 2]
    assert best_first(figures(wasserstein=[0.1, 0.3, 0.2]), np.ones(3)) == [0, 2, 1]


def test_of_runs_that_cut_as_much_the_one_with_the_best_mean_rank_answers() -> None:
    given = figures(wasserstein=[0.3, 0.1, 0.2], agreement=[0.9, 0.8, 0.7], medoid=[0.1, 0.9, 0.5])
    np.testing.assert_allclose(mean_ranks(given), [(3 + 2 + 2 + 1 + 3) / 5, (1 + 2 + 2 + 2 + 1) / 5, 11 / 5])
    best, because = best_run(given, SAME)
    assert best == 1
    assert because.startswith("run 2 of 3 has the best mean rank in figures without labels (wasserstein 0.1, ")
    assert because.endswith(") and cuts 50.0% of the neighbour graph of its own features")
    rows = run_table(given, np.array([0.7, 0.8, 0.9]), [7, 8, 9], [100, 50, 100])
    assert [row["kept"] for row in rows] == [0.7, 0.8, 0.9]
    assert "kept" not in run_table(given, np.full(3, np.nan), [7, 8, 9], [100, 50, 100])[0]
    assert [row["run"] for row in rows] == [1, 2, 3]
    assert rows[1]["mean_rank"] == min(row["mean_rank"] for row in rows)
    assert rows[2]["seed"] == 9
    assert [row["iteration"] for row in rows] == [100, 50, 100]


def test_a_run_that_drifts_counts_by_its_distance_alone() -> None:
    given = figures(wasserstein=[0.3, 0.1, 0.2])
    drifting = given._replace(drifting=np.array([False, True, False]))
    np.testing.assert_array_equal(mean_ranks(drifting), mean_ranks(given))


def test_runs_that_put_all_images_into_few_clusters_stand_behind_one_that_does_not() -> None:
    """They are sure, agree with themselves and with each other, and would be ranked first for it."""
    thirds, nothing = np.arange(300) % 3, np.zeros(300, dtype=int)
    labels = np.stack([nothing, nothing, thirds], axis=1)
    changed = labels.copy()
    changed[:60, 2] = (changed[:60, 2] + 1) % 3
    own = (np.full(3, 0.1), np.full((3, 3), 1 / 3), np.zeros(3, dtype=bool))
    found = figures_of(sure(labels, 3), changed, *own)
    np.testing.assert_array_equal(found.collapsed, [True, True, False])
    assert best_run(found, SAME)[0] == 2
    assert best_run(found._replace(collapsed=np.zeros(3, dtype=bool)), SAME)[0] == 0
    assert best_run(found._replace(collapsed=np.ones(3, dtype=bool)), SAME)[0] == 0
    assert [row["collapsed"] for row in run_table(found, SAME, [1, 2, 3], [9, 9, 9])] == [True, True, False]
    assert other_features(pairwise_nmi(labels), found, SAME, 2) == []


@pytest.mark.parametrize(
    ("sizes", "prior", "expected"),
    [
        ((50, 50), (0.5, 0.5), False),
        ((99, 1), (0.5, 0.5), False),
        ((100, 0), (0.5, 0.5), True),
        ((90, 10), (0.9, 0.1), False),
        ((100, 0), (0.9, 0.1), True),
        ((97, 1, 1, 1), (0.25, 0.25, 0.25, 0.25), True),
        ((50, 50, 0, 0), (0.25, 0.25, 0.25, 0.25), False),
    ],
)
def test_collapse_is_less_than_half_of_what_was_drawn_or_all_images_in_one(
    sizes: tuple[int, ...], prior: tuple[float, ...], expected: bool
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)[:, None]
    assert collapsed(labels, np.array([prior])).tolist() == [expected]


def test_the_run_that_was_asked_for_answers_and_the_sentence_says_so() -> None:
    assert best_run(figures(wasserstein=[0.3, 0.1, 0.2]), SAME, 3) == (2, "choose=3 asked for run 3 of 3")


def test_each_run_answers_from_the_moment_that_ranks_best_among_its_own() -> None:
    then = [
        figures(wasserstein=[0.3, 0.1, 0.2], entropy=[0.5, 0.1, 0.2]),
        figures(wasserstein=[0.2, 0.2, 0.2], entropy=[0.1, 0.2, 0.2]),
        figures(wasserstein=[0.4, 0.3, 0.2], entropy=[0.3, 0.3, 0.2]),
    ]
    for run, ranks in enumerate(moment_ranks(then).T):
        alone = Figures(*(np.array([getattr(moment, name)[run] for moment in then]) for name in Figures._fields))
        np.testing.assert_allclose(ranks, mean_ranks(alone))
    assert best_moments(then) == [1, 0, 2]  # of equals the last, as the paper has it
    rows = moment_table(then, [10, 20, 30])
    assert [(row["run"], row["iteration"]) for row in rows[:4]] == [(1, 10), (2, 10), (3, 10), (1, 20)]
    assert [row["wasserstein"] for row in rows[::3]] == [0.3, 0.2, 0.4]
    assert rows[3]["mean_rank"] == moment_ranks(then)[1, 0]


def test_runs_at_moments_of_their_own_have_the_figures_of_then_and_are_compared_as_they_group() -> None:
    then = [figures(entropy=[0.1, 0.2, 0.3], medoid=[0.9, 0.9, 0.9]), figures(entropy=[0.4, 0.5, 0.6])]
    found = at_moments(then, [1, 0, 1], LABELS)
    np.testing.assert_allclose(found.entropy, [0.4, 0.2, 0.6])
    np.testing.assert_allclose(found.medoid, [0.5, 0, 0.5], atol=0.01)
    assert told_of_moment(2, 50, 50) == ""
    assert told_of_moment(2, 3000, 4000).startswith("; run 2 answers as it was after iteration 3,000 of 4,000")


def test_a_single_run_answers() -> None:
    one = Figures(*(np.ones(1) for _ in CRITERIA), drifting=np.ones(1, dtype=bool), collapsed=np.ones(1, dtype=bool))
    assert best_run(one, np.ones(1)) == (0, "it is the only run")


def test_runs_that_found_something_else_are_offered_once() -> None:
    labels = np.concatenate([LABELS, LABELS[:, 1:2]], axis=1)
    nmi = pairwise_nmi(labels)
    np.testing.assert_allclose(nmi[0], [1, 0, 1, 0], atol=1e-9)
    assert np.array_equal(nmi, nmi.T)
    none = np.zeros(4, dtype=bool)
    found = Figures(*(np.zeros(4) for _ in CRITERIA), drifting=none, collapsed=none)
    assert other_features(nmi, found, np.ones(4), 0) == [1]
    assert other_features(nmi, found, np.ones(4), 1) == [0]
    assert other_features(nmi, found, np.array([0.9, 0.9, 0.9, 0.99]), 0) == [3]
    lost = found._replace(collapsed=np.array([False, True, False, True]))
    assert other_features(nmi, lost, np.ones(4), 0) == []
    assert told_of_others([]) == ""
    assert told_of_others(["run-2"]) == "; run-2 groups by something else"
    assert told_of_others(["run-2", "linkage-of-run-4"]) == "; run-2, linkage-of-run-4 group by something else"


def test_a_distance_that_falls_and_rises_again_is_drift_and_one_that_falls_is_none() -> None:
    falls = np.geomspace(10, 0.1, 100)
    rises = np.concatenate([np.geomspace(10, 0.1, 50), np.geomspace(0.1, 8, 50)])
    below = np.concatenate([np.geomspace(10, 0.1, 50), -np.geomspace(0.1, 8, 50)])
    shakes = np.concatenate([np.geomspace(10, 0.01, 90), np.full(10, 0.2)])
    found = drifts(np.stack([falls, rises, below, shakes], axis=1))
    assert found.tolist() == [False, True, True, False]
    assert drifts(np.stack([rises[45:54]], axis=1)).tolist() == [False]  # too few to say


def test_correlations_and_spread_are_for_studies() -> None:
    given = figures(wasserstein=[0.1, 0.2, 0.3], agreement=[0.1, 0.2, 0.3])
    found = correlations(given, np.array([0.3, 0.1, 0.2]), np.array([0.9, 0.5, 0.4]))
    assert found["wasserstein"] == pytest.approx(1)
    assert found["agreement"] == pytest.approx(-1)
    assert found["kept"] == pytest.approx(0.5)
    assert np.isnan(found["entropy"])
    assert spread([3, 1, 2]) == {"min": 1, "median": 2, "max": 3}
