"""Scores against classes, beside loops that count pairs, try every naming, and visit every item."""

import itertools
import math
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.errors import ConfigError
from coterie.metrics import (
    accuracy,
    ari,
    bcubed,
    legacy_batch_scores,
    match,
    nmi,
    purity,
    score_all,
    score_notes,
    uniformity_index,
)

pairs = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 4), min_size=n, max_size=n), st.lists(st.integers(0, 4), min_size=n, max_size=n)
    )
)
Groups = tuple[list[int], list[int]]


def best_naming_by_trying_all(classes: list[int], labels: list[int]) -> int:
    names = sorted(set(classes)) + [-1] * len(set(labels))  # -1: a cluster may go without a class
    clusters = sorted(set(labels))
    return max(
        sum(c == dict(zip(clusters, naming, strict=True))[b] for c, b in zip(classes, labels, strict=True))
        for naming in set(itertools.permutations(names, len(clusters)))
    )


def ari_by_counting_pairs(classes: list[int], labels: list[int]) -> float:
    both = in_class = in_cluster = pairs = 0
    for i, j in itertools.combinations(range(len(classes)), 2):
        pairs += 1
        in_class += classes[i] == classes[j]
        in_cluster += labels[i] == labels[j]
        both += classes[i] == classes[j] and labels[i] == labels[j]
    expected = in_class * in_cluster / pairs if pairs else 0.0
    top, bottom = both - expected, (in_class + in_cluster) / 2 - expected
    return 1.0 if abs(bottom) < 1e-12 else top / bottom


def bcubed_item_by_item(classes: list[int], labels: list[int]) -> tuple[float, float]:
    precision, recall, items = 0.0, 0.0, range(len(classes))
    for i in items:
        cluster = [j for j in items if labels[j] == labels[i]]
        known = [j for j in items if classes[j] == classes[i]]
        right = sum(classes[j] == classes[i] for j in cluster)
        precision += right / len(cluster)
        recall += right / len(known)
    return precision / len(classes), recall / len(classes)


def nmi_by_loop(classes: list[int], labels: list[int], average: str) -> float:
    n = len(classes)

    def share(**wanted: int) -> float:
        rows = [{"c": c, "l": b} for c, b in zip(classes, labels, strict=True)]
        return sum(all(row[key] == value for key, value in wanted.items()) for row in rows) / n

    information = 0.0
    for c, b in set(zip(classes, labels, strict=True)):
        information += share(c=c, l=b) * math.log(share(c=c, l=b) / (share(c=c) * share(l=b)))
    h = -sum(share(c=c) * math.log(share(c=c)) for c in set(classes))
    h2 = -sum(share(l=b) * math.log(share(l=b)) for b in set(labels))
    if len(set(classes)) == 1 or len(set(labels)) == 1:
        return float(len(set(classes)) == len(set(labels)))
    return information / (math.sqrt(h * h2) if average == "geometric" else (h + h2) / 2)


small = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n), st.lists(st.integers(0, 3), min_size=n, max_size=n)
    )
)


@given(small)
def test_accuracy_equals_the_best_of_all_namings(groups: Groups) -> None:
    assert accuracy(*groups) == pytest.approx(best_naming_by_trying_all(*groups) / len(groups[0]))


@given(pairs)
def test_the_match_is_one_to_one_and_gives_the_accuracy(groups: Groups) -> None:
    classes, labels = groups
    naming = match(classes, labels)
    assert len(set(naming.values())) == len(naming)
    right = sum(naming.get(b) == c for c, b in zip(classes, labels, strict=True))
    assert accuracy(classes, labels) == pytest.approx(right / len(classes))


@given(pairs)
def test_ari_equals_counting_pairs(groups: Groups) -> None:
    assert ari(*groups) == pytest.approx(ari_by_counting_pairs(*groups), abs=1e-12)


@given(pairs)
def test_bcubed_equals_visiting_every_item(groups: Groups) -> None:
    precision, recall, f = bcubed(*groups)
    assert (precision, recall) == pytest.approx(bcubed_item_by_item(*groups))
    assert f == pytest.approx(2 / (1 / precision + 1 / recall))


@pytest.mark.parametrize("average", ["geometric", "arithmetic"])
@given(groups=pairs)
def test_nmi_equals_its_definition(groups: Groups, average: str) -> None:
    assert nmi(*groups, average=average) == pytest.approx(nmi_by_loop(*groups, average), abs=1e-9)  # type: ignore[arg-type]


@given(pairs)
def test_purity_counts_the_commonest_class_of_each_cluster(groups: Groups) -> None:
    classes, labels = groups
    right = 0
    for cluster in set(labels):
        inside = [c for c, b in zip(classes, labels, strict=True) if b == cluster]
        right += max(inside.count(c) for c in inside)
    assert purity(classes, labels) == pytest.approx(right / len(classes))


@given(pairs, st.permutations(range(5)), st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_names_or_order(groups: Groups, names: list[int], random: object) -> None:
    classes, labels = map(np.array, groups)
    order = np.array(random.sample(range(len(classes)), len(classes)))  # type: ignore[attr-defined]
    renamed = np.array(names)[labels][order]
    assert score_all(classes[order], renamed) == pytest.approx(score_all(classes, labels), abs=1e-12)


@given(pairs)
def test_scores_keep_their_ranges(groups: Groups) -> None:
    scores = score_all(*groups)
    assert all(0.0 <= value <= 1.0 for name, value in scores.items() if name != "ari")
    assert -1.0 <= scores["ari"] <= 1.0
    assert scores["accuracy"] <= scores["purity"] + 1e-12
    assert scores["nmi_arithmetic"] <= scores["nmi_geometric"] + 1e-12


@given(pairs)
def test_pairwise_scores_do_not_care_which_grouping_is_called_true(groups: Groups) -> None:
    classes, labels = groups
    for score in (accuracy, ari, nmi):
        assert score(classes, labels) == pytest.approx(score(labels, classes), abs=1e-12)
    precision, recall, _ = bcubed(classes, labels)
    assert bcubed(labels, classes)[:2] == pytest.approx((recall, precision))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_a_perfect_grouping_scores_one_everywhere(classes: list[int]) -> None:
    scores = score_all(classes, [9 - c for c in classes])
    del scores["uniformity_index"], scores["uniformity_index_classes"]
    assert list(scores.values()) == pytest.approx([1.0] * len(scores))


def test_scores_agree_with_scikit_learn_on_a_larger_set() -> None:
    from sklearn import metrics as theirs

    rng = np.random.default_rng(0)
    classes = rng.integers(0, 10, 5000)
    labels = np.where(rng.random(5000) < 0.7, classes, rng.integers(0, 13, 5000))
    assert ari(classes, labels) == pytest.approx(theirs.adjusted_rand_score(classes, labels), abs=1e-12)
    for average in ("geometric", "arithmetic"):
        expected = theirs.normalized_mutual_info_score(classes, labels, average_method=average)
        assert nmi(classes, labels, average) == pytest.approx(expected, abs=1e-12)


def test_accuracy_accepts_more_clusters_than_classes_and_fewer() -> None:
    assert accuracy([0, 0, 0, 0], [0, 0, 1, 2]) == 0.5
    assert match([0, 0, 0, 0], [0, 0, 1, 2]) == {0: 0}
    assert accuracy([0, 0, 1, 2], [5, 5, 5, 5]) == 0.5


def test_groups_may_be_named_by_text() -> None:
    assert match(["cat", "dog", "cat"], [1, 0, 1]) == {1: "cat", 0: "dog"}
    assert accuracy(["cat", "dog", "cat"], ["x", "y", "x"]) == 1.0


def test_two_hundred_thousand_images_each_in_its_own_class_need_no_square_table() -> None:
    start = time.perf_counter()
    n = 200_000
    classes = np.arange(n)
    labels = np.random.default_rng(0).permutation(n)
    assert accuracy(classes, labels) == 1.0
    assert ari(classes, np.zeros(n, dtype=int)) == 0.0
    assert time.perf_counter() - start < 20


def test_ari_stays_exact_where_pairs_of_pairs_pass_64_bits() -> None:
    n = 400_000
    classes, labels = np.arange(n) % 2, np.arange(n) % 4 // 2
    assert abs(ari(classes, labels)) < 1e-5
    assert ari(classes, classes) == 1.0


def test_the_uniformity_index_gives_the_published_values_of_usps() -> None:
    sizes = {
        0.985: [1500, 1200, 900, 800, 800, 700, 800, 700, 700, 800],
        0.991: [1200, 1200, 900, 800, 800, 700, 800, 700, 700, 800],
        0.998: [900, 900, 900, 800, 800, 700, 800, 700, 700, 800],
        1.0: [700] * 10,
    }
    for published, counts in sizes.items():
        assert uniformity_index(np.repeat(np.arange(10), counts)) == pytest.approx(published, abs=6e-4)


def test_the_uniformity_index_counts_groups_that_stayed_empty() -> None:
    assert uniformity_index([0, 0, 1, 1], n_groups=4) == pytest.approx(0.5)
    assert uniformity_index([3, 3, 3], n_groups=4) == 0.0
    assert uniformity_index([3, 3, 3]) == 1.0
    with pytest.raises(ConfigError, match="n_groups must be at least the 2 groups"):
        uniformity_index([0, 1], n_groups=1)


def test_batch_scores_show_the_published_flattery_of_random_groupings() -> None:
    rng = np.random.default_rng(0)
    classes, labels = rng.integers(0, 10, 40_000), rng.integers(0, 10, 40_000)
    published = {50: (0.350, 0.368), 64: (0.324, 0.312), 100: (0.274, 0.213)}
    for batch_size, (batch_purity, batch_nmi) in published.items():
        scores = legacy_batch_scores(classes, labels, batch_size)
        assert scores["purity"] == pytest.approx(batch_purity, abs=0.005)
        assert scores["nmi"] == pytest.approx(batch_nmi, abs=0.005)
        assert scores["ari"] == pytest.approx(0.0, abs=0.005)
    assert accuracy(classes, labels) < 0.12


def test_batch_scores_are_means_over_full_batches() -> None:
    rng = np.random.default_rng(1)
    classes, labels = rng.integers(0, 3, 25), rng.integers(0, 3, 25)
    scores = legacy_batch_scores(classes, labels, 10)
    assert scores["ari"] == pytest.approx((ari(classes[:10], labels[:10]) + ari(classes[10:20], labels[10:20])) / 2)
    assert scores["purity"] == pytest.approx(
        (purity(classes[:10], labels[:10]) + purity(classes[10:20], labels[10:20])) / 2
    )
    assert legacy_batch_scores(classes, labels, 100)["purity"] == purity(classes, labels)


@pytest.mark.parametrize(
    "score", [accuracy, match, nmi, ari, purity, bcubed, legacy_batch_scores, score_all, score_notes]
)
@pytest.mark.parametrize(
    ("classes", "labels", "reason"),
    [
        ([0, 1], [0], "one entry for each image, got 2 and 1"),
        ([], [], "at least one image"),
        ([0.0, float("nan")], [0, 1], "classes must be finite"),
        ([0, 1], [0.0, float("inf")], "labels must be finite"),
        ([[0, 1]], [0, 1], "must be 1-D"),
        ([None, {}], [0, 1], "integers or text"),
    ],
)
def test_input_without_meaning_is_refused(score: object, classes: object, labels: object, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        score(classes, labels)  # type: ignore[operator]


def test_other_bad_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="average must be 'geometric' or 'arithmetic'"):
        nmi([0, 1], [0, 1], average="max")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        legacy_batch_scores([0, 1], [0, 1], 0)


def test_an_ordinary_grouping_has_no_notes_and_odd_ones_have_theirs() -> None:
    assert score_notes([0, 0, 1, 1], [0, 0, 1, 0]) == []
    assert "same class" in score_notes([0, 0, 0], [0, 0, 1])[0]
    assert "own class" in score_notes([0, 1, 2], [0, 0, 1])[0]
    assert "one cluster only" in score_notes([0, 0, 1], [0, 0, 0])[0]
    assert "its own cluster" in score_notes([0, 0, 1], [0, 1, 2])[0]
    assert "more clusters (3) than classes (2)" in score_notes([0, 0, 1, 1], [0, 1, 2, 2])[0]
    assert "one image" in score_notes([0], [0])[0]


def test_importing_the_metrics_loads_neither_scipy_nor_scikit_learn() -> None:
    code = "import sys, coterie.metrics; sys.exit(str({'scipy', 'sklearn', 'torch'} & set(sys.modules) or ''))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=False
    )
    assert done.stderr.strip() in (b"", b"''"), done.stderr
