"""Which pairs each sampler makes: by loops, by their distribution, and at the edges of the graph."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from coterie.methods.pair_sampling import SAMPLERS, Pairs, lay_out, sample_pairs

B = 8


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def graph(seed: int = 0, share: float = 0.6, b: int = B) -> tuple[Tensor, Tensor]:
    """Similarities (b, b), all different but for symmetry, and which of them are linked."""
    half = torch.rand(b, b, generator=seeded(seed)).triu(1)
    similarity = (half + half.T).fill_diagonal_(1.0)
    return similarity, similarity > 1 - share


def drawn(sampler: str, seed: int = 0, m: int = 2, **how: float) -> tuple[Pairs, Tensor, Tensor]:
    similarity, linked = graph(seed, **how)
    return sample_pairs(sampler, similarity, linked, seeded(seed), m), similarity, linked


def linked_to(linked: Tensor, i: int) -> list[int]:
    return [j for j in range(len(linked)) if linked[i, j] and j != i]


def unlinked_with(linked: Tensor, i: int) -> list[int]:
    return [j for j in range(len(linked)) if not linked[i, j]]


@pytest.mark.parametrize("sampler", ["nearest", "nearest-farthest"])
@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_positive_is_the_most_similar_of_the_linked(sampler: str, seed: int) -> None:
    pairs, similarity, linked = drawn(sampler, seed, share=0.3)
    for i in range(B):
        candidates = linked_to(linked, i) or [i]
        assert pairs.positives[i] == max(candidates, key=lambda j: float(similarity[i, j]))
    assert pairs.anchors.tolist() == list(range(B))


@pytest.mark.parametrize("seed", range(5))
def test_the_farthest_negatives_are_the_least_similar_of_the_unlinked(seed: int) -> None:
    pairs, similarity, linked = drawn("nearest-farthest", seed, m=3)
    for i in range(B):
        wanted = sorted(unlinked_with(linked, i), key=lambda j: float(similarity[i, j]))
        assert pairs.negatives[: len(wanted), i].tolist() == wanted[:3]


@pytest.mark.parametrize("sampler", ["nearest", "random", "top"])
def test_random_negatives_are_spread_evenly_over_all_that_is_unlinked(sampler: str) -> None:
    similarity, linked = graph(3)
    generator = seeded(1)
    seen: list[Counter[int]] = [Counter() for _ in range(B)]
    times = 2000
    for _ in range(times):
        pairs = sample_pairs(sampler, similarity, linked, generator, 2)
        assert (pairs.negatives[0] != pairs.negatives[1])[~single(linked)[pairs.anchors]].all()
        for anchor, first, second in zip(pairs.anchors.tolist(), *pairs.negatives.tolist(), strict=True):
            seen[anchor].update((first, second))
    for i in range(B):
        candidates = unlinked_with(linked, i)
        assert set(seen[i]) <= set(candidates)
        if sampler != "top":
            expected = 2 * times / len(candidates)
            assert all(abs(seen[i][j] - expected) < 5 * expected**0.5 for j in candidates)


def single(linked: Tensor) -> Tensor:
    return (~linked).sum(1) == 1


def test_random_positives_are_spread_evenly_over_all_that_is_linked() -> None:
    similarity, linked = graph(3)
    generator, times = seeded(1), 2000
    seen: list[Counter[int]] = [Counter() for _ in range(B)]
    for _ in range(times):
        for i, j in enumerate(sample_pairs("random", similarity, linked, generator).positives.tolist()):
            seen[i][j] += 1
    for i in range(B):
        candidates = linked_to(linked, i) or [i]
        expected = times / len(candidates)
        assert set(seen[i]) == set(candidates)
        assert all(abs(seen[i][j] - expected) < 5 * expected**0.5 for j in candidates)


@pytest.mark.parametrize("seed", range(5))
def test_the_top_pairs_are_the_most_similar_of_the_whole_batch_each_once(seed: int) -> None:
    pairs, similarity, linked = drawn("top", seed, share=0.8)
    every = [(i, j) for i in range(B) for j in range(i + 1, B) if linked[i, j]]
    wanted = sorted(every, key=lambda pair: -float(similarity[pair]))[:B]
    assert set(zip(pairs.anchors.tolist(), pairs.positives.tolist(), strict=True)) == set(wanted)


def test_where_the_top_pairs_run_out_different_images_are_paired_with_themselves() -> None:
    similarity = torch.eye(B)
    similarity[2, 5] = similarity[5, 2] = 0.9
    pairs = sample_pairs("top", similarity, similarity > 0.5, seeded())
    found = list(zip(pairs.anchors.tolist(), pairs.positives.tolist(), strict=True))
    assert found[0] == (2, 5)
    assert all(i == j for i, j in found[1:])
    assert len(set(found)) == B


def as_the_code_has_it(linked: Tensor) -> tuple[list[int], list[list[int]]]:
    """Positives and negatives of section 5 of the specification, (a) and (b), by loops."""
    positives, negatives = [], []
    for i, row in enumerate(linked.int().tolist()):
        without_i = row[:i] + row[i + 1 :]
        positives.append(without_i.index(1) if 1 in without_i else 0)
        negatives.append([j for j, is_linked in enumerate(row) if not is_linked and j != i][:2])
    return positives, negatives


@pytest.mark.parametrize("seed", range(8))
def test_the_compatible_sampler_does_what_the_code_does_off_by_one_and_all(seed: int) -> None:
    pairs, _, linked = drawn("compat", seed, share=0.4)
    positives, negatives = as_the_code_has_it(linked)
    assert pairs.positives.tolist() == positives
    for i in range(B):
        if len(negatives[i]) == 2:
            assert pairs.negatives[:, i].tolist() == negatives[i]


def test_the_compatible_sampler_shows_its_faults() -> None:
    linked = torch.eye(4, dtype=torch.bool)
    linked[0, 2] = linked[2, 0] = True
    pairs = sample_pairs("compat", torch.rand(4, 4), linked, seeded())
    assert pairs.positives.tolist() == [1, 0, 0, 0]  # 0's neighbour 2 is taken for 1; 1 and 3 have none and get 0
    assert pairs.negatives.T.tolist() == [[1, 3], [0, 2], [1, 3], [0, 1]]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_that_everything_is_linked_to_has_no_negative(sampler: str) -> None:
    similarity, linked = graph(1)
    linked[3, :] = linked[:, 3] = True
    pairs = sample_pairs(sampler, similarity, linked, seeded())
    assert (pairs.has_negative == (pairs.anchors != 3)).all()
    pairs = sample_pairs(sampler, similarity, torch.ones(B, B, dtype=torch.bool), seeded())
    assert not pairs.has_negative.any()
    assert pairs.negatives.shape == (2, B)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_only_unlinked_image_is_taken_again_and_again(sampler: str) -> None:
    linked = torch.ones(B, B, dtype=torch.bool)
    linked[0, 5] = linked[5, 0] = False
    pairs = sample_pairs(sampler, torch.rand(B, B, generator=seeded()), linked, seeded(), 3)
    for column, anchor in enumerate(pairs.anchors.tolist()):
        if anchor in (0, 5):
            assert pairs.has_negative[column]
            assert set(pairs.negatives[:, column].tolist()) == {5 - anchor}


@pytest.mark.parametrize("sampler", ["nearest", "nearest-farthest", "random", "top"])
def test_where_nothing_is_linked_images_are_their_own_positives(sampler: str) -> None:
    pairs = sample_pairs(sampler, torch.eye(B), torch.eye(B, dtype=torch.bool), seeded())
    assert (pairs.positives == pairs.anchors).all()
    assert pairs.has_negative.all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("b", [1, 2, 3])
def test_the_smallest_batches_have_pairs_too(sampler: str, b: int) -> None:
    for linked in (torch.eye(b, dtype=torch.bool), torch.ones(b, b, dtype=torch.bool)):
        pairs = sample_pairs(sampler, linked.float(), linked, seeded())
        anchors, partners, n_together = lay_out(pairs, self_pairs=True)
        assert anchors.shape == partners.shape == (4, b)
        assert 0 <= partners.min() <= partners.max() < b
        assert n_together == 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_draws_the_same_pairs(sampler: str) -> None:
    first, again = drawn(sampler, 4)[0], drawn(sampler, 4)[0]
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))


def test_pairs_are_laid_out_with_those_first_that_belong_together() -> None:
    pairs = Pairs(
        torch.tensor([2, 0]), torch.tensor([1, 1]), torch.tensor([[0, 2], [1, 1]]), torch.tensor([True, True])
    )
    anchors, partners, n_together = lay_out(pairs, self_pairs=True)
    assert anchors.tolist() == [[0, 1], [2, 0], [2, 0], [2, 0]]
    assert partners.tolist() == [[0, 1], [1, 1], [0, 2], [1, 1]]
    assert n_together == 2
    anchors, partners, n_together = lay_out(pairs, self_pairs=False)
    assert anchors.tolist() == [[2, 0], [2, 0], [2, 0]]
    assert partners.tolist() == [[1, 1], [0, 2], [1, 1]]
    assert n_together == 1
