"""Losses of pairs against one pair at a time in float64; thresholds at their edges and at the end of schedules."""

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie.methods.dac_variants import VARIANTS, resolved, thresholds_at
from coterie.methods.pair_objective import PairObjective, pair_update
from coterie.methods.pairs import (
    PAPER_EPOCHS,
    PAPER_STEP,
    Thresholds,
    auxiliary,
    dissimilarity,
    emptiness,
    label_features,
    moved,
    pair_bce,
    pair_mse,
    paper_thresholds,
    select,
    similarity,
    weighted_mean,
)
from oracles import plain_pairs

ZONE = Thresholds(0.8, 0.5)


def scores(b: int = 8, k: int = 5, seed: int = 0, spread: float = 3.0) -> Tensor:
    return spread * torch.randn(b, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def auto(variant: str, **given: object) -> dict[str, object]:
    return resolved(variant, dict.fromkeys(VARIANTS[variant], "auto") | given)


# --- label features


def test_the_constraint_layer_is_the_softmax_scaled_to_length_one() -> None:
    rows = scores()
    plain = np.array([plain_pairs.label_feature(row) for row in rows.numpy()])
    np.testing.assert_allclose(label_features(rows), plain, rtol=1e-12)
    np.testing.assert_allclose(label_features(rows + 1000), plain, rtol=1e-9)


def test_similarities_are_cosines_and_dissimilarities_what_they_lack() -> None:
    features = label_features(scores())
    plain = [[plain_pairs.similar(a, b) for b in features.numpy()] for a in features.numpy()]
    np.testing.assert_allclose(similarity(features), plain, rtol=1e-12)
    np.testing.assert_allclose(dissimilarity(features), 1 - np.array(plain), atol=1e-14)


def test_a_dissimilarity_near_zero_keeps_its_digits_in_float32() -> None:
    one = label_features(torch.tensor([[9.0, 0, 0], [9.0, 1e-2, 0]], dtype=torch.float64))
    exact = float(dissimilarity(one)[0, 1])
    assert 0 < exact < 1e-8
    assert float(dissimilarity(one.float())[0, 1]) == pytest.approx(exact, rel=1e-2)
    assert abs(float(1 - similarity(one.float())[0, 1]) - exact) > exact / 2  # why it is done so


# --- what is selected


@pytest.mark.parametrize("leave_out", [True, False])
def test_a_pair_on_a_threshold_is_beyond_neither(leave_out: bool) -> None:
    values = torch.tensor([[0.81, 0.8, 0.79], [0.51, 0.5, 0.49], [1.0, 0.0, 0.65]], dtype=torch.float64)
    targets, weights = select(values, ZONE, leave_out=leave_out)
    assert targets.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert weights.tolist() == ([[1, 0, 0], [0, 0, 1], [1, 1, 0]] if leave_out else [[1] * 3] * 3)


def test_a_pair_of_equals_is_taught_together_below_a_threshold_of_one() -> None:
    targets, _ = select(similarity(label_features(scores())), Thresholds(0.99, 0.99), leave_out=False)
    assert (targets.diagonal() == 1).all()


# --- losses


@pytest.mark.parametrize("leave_out", [True, False])
@pytest.mark.parametrize("siamese", [False, True])
@pytest.mark.parametrize("squared", [False, True])
def test_the_pair_losses_are_those_of_a_loop_over_pairs(leave_out: bool, siamese: bool, squared: bool) -> None:
    asked, first, second = scores(seed=1), scores(seed=2), scores(seed=3)
    selection = select(similarity(label_features(asked)), ZONE, leave_out=leave_out)
    assert 0 < selection.targets.sum() - len(asked) < selection.weights.sum() - len(asked)
    other = label_features(second) if siamese else None
    losses = (pair_mse if squared else pair_bce)(label_features(first), selection.targets, other)
    found = weighted_mean(losses, selection.weights)
    plain = plain_pairs.pair_loss(
        asked.numpy(), first.numpy(), (second if siamese else first).numpy(), *ZONE, leave_out=leave_out,
        squared=squared,
    )  # fmt: skip
    assert float(found) == pytest.approx(plain, rel=1e-9)


def test_the_script_with_two_thresholds_has_a_batch_th_of_it() -> None:
    features = label_features(scores(seed=4))
    targets, weights = select(similarity(features), ZONE, leave_out=True)
    losses = pair_bce(features, targets)
    of_rows = [(losses[i] * weights[i]).sum() / weights.sum() for i in range(len(losses))]
    assert float(weighted_mean(losses, weights) / len(losses)) == pytest.approx(float(sum(of_rows) / len(of_rows)))


def test_the_auxiliary_term_is_that_of_a_loop_over_entries() -> None:
    shares, wanted = scores(seed=5).softmax(1), label_features(scores(seed=6))
    assert float(auxiliary(shares, wanted)) == pytest.approx(plain_pairs.auxiliary(shares.numpy(), wanted.numpy()))


def test_the_emptiness_is_zero_for_equal_clusters_and_log_k_for_one() -> None:
    shares = scores(seed=7).softmax(1)
    assert float(emptiness(shares)) == pytest.approx(plain_pairs.emptiness(shares.numpy()))
    assert float(emptiness(torch.eye(4, dtype=torch.float64))) == pytest.approx(0, abs=1e-12)
    one = torch.zeros(6, 4, dtype=torch.float64)
    one[:, 0] = 1
    assert float(emptiness(one)) == pytest.approx(np.log(4), rel=1e-4)


@pytest.mark.parametrize("term", ["bce", "mse", "auxiliary", "emptiness"])
def test_gradients_are_those_of_differences(term: str) -> None:
    rows = scores(4, 3, seed=8, spread=1.0).requires_grad_()
    targets = select(similarity(label_features(scores(4, 3, seed=9))), ZONE, leave_out=True).targets
    functions = {
        "bce": lambda x: pair_bce(label_features(x), targets).mean(),
        "mse": lambda x: pair_mse(label_features(x), targets).mean(),
        "auxiliary": lambda x: auxiliary(x.softmax(1), targets[:, :3]),
        "emptiness": lambda x: emptiness(x.softmax(1)),
    }
    assert torch.autograd.gradcheck(functions[term], (rows,), atol=1e-6)


@pytest.mark.parametrize("b", [1, 6])
def test_one_image_or_equal_images_have_a_finite_loss_and_gradient(b: int) -> None:
    rows = scores(1).float().expand(b, -1).clone().requires_grad_()
    for targets in (torch.ones(b, b), torch.zeros(b, b)):
        loss = pair_bce(label_features(rows), targets).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.isfinite()
        assert rows.grad is not None
        assert rows.grad.isfinite().all()


def test_the_loss_does_not_depend_on_the_order_of_images_or_of_clusters() -> None:
    """T3 of dac.md section 8: r comes from s alone."""
    asked, rows = scores(seed=10), scores(seed=11)
    order, names = torch.randperm(8), torch.randperm(5)

    def loss(asked: Tensor, rows: Tensor) -> float:
        update = pair_update(torch.nn.Identity(), rows[None], asked, ZONE, PairObjective(leave_out=True, auxiliary=2.0))
        return float(update.loss)

    assert loss(asked[order], rows[order]) == pytest.approx(loss(asked, rows), rel=1e-6)
    assert loss(asked[:, names], rows[:, names]) == pytest.approx(loss(asked, rows), rel=1e-6)


@pytest.mark.parametrize("form", ["l2", "softmax", "mixed"])
@pytest.mark.parametrize("siamese", [False, True])
def test_an_update_adds_its_terms_by_their_weights(form: str, siamese: bool) -> None:
    asked, variants = scores(seed=12), torch.stack([scores(seed=13), scores(seed=14)][: 1 + siamese])
    objective = PairObjective(leave_out=True, pair_weight=0.5, auxiliary=2.0, auxiliary_form=form, entropy=3.0)
    update = pair_update(torch.nn.Identity(), variants, asked, ZONE, objective)
    shares, known = variants[0].softmax(1), label_features(variants[0])
    seen, wanted = {
        "l2": (known, label_features(asked)), "softmax": (shares, asked.softmax(1)),
        "mixed": (shares, label_features(asked)),
    }[form]  # fmt: skip
    plain = (
        0.5 * plain_pairs.pair_loss(asked.numpy(), variants[0].numpy(), variants[-1].numpy(), *ZONE, leave_out=True)
        + 2.0 * plain_pairs.auxiliary(seen.numpy(), wanted.numpy())
        + 3.0 * plain_pairs.emptiness(shares.numpy())
    )
    assert float(update.loss) == pytest.approx(plain, rel=1e-4)
    np.testing.assert_allclose(update.shares, shares, rtol=1e-5)


# --- schedules


def test_the_papers_thresholds_meet_where_lambda_is_point_45() -> None:
    assert paper_thresholds(0.0) == (0.95, 0.455)
    assert paper_thresholds(0.45) == pytest.approx((0.5, 0.5))
    assert not paper_thresholds(0.4499).have_met
    assert paper_thresholds(0.4501).have_met


def test_forty_six_epochs_take_the_steps_of_the_paper_and_then_end() -> None:
    settings = auto("paper")
    for epoch in range(PAPER_EPOCHS + 1):
        found = thresholds_at(epoch / PAPER_EPOCHS, settings)
        assert found == pytest.approx(paper_thresholds(PAPER_STEP * epoch))
        assert found.have_met == (epoch == PAPER_EPOCHS)


@pytest.mark.parametrize(
    ("given", "epochs", "step", "last"),
    [
        ({}, 50, (0.0048, 0.0048), (0.7548, 0.7548)),  # cifar10_1, cifar100, imagenet10, imagenetdog
        ({"pairs": "sure", "upper_to": 0.895}, 50, (0.0019, -0.0019), (0.8969, 0.8931)),  # cifar10_2
        ({"upper_to": 0.5}, 75, (0.49 / 75, 0.49 / 75), (0.5 + 0.49 / 75,) * 2),  # stl
        ({"upper_from": 0.9, "upper_to": 0.5}, 20, (0.02, 0.02), (0.52, 0.52)),  # mnist
    ],
    ids=["cifar10_1", "cifar10_2", "stl", "mnist"],
)
def test_the_released_schedules_are_lines_through_the_epochs(
    given: dict[str, object], epochs: int, step: tuple[float, float], last: tuple[float, float]
) -> None:
    settings = auto("released", **given)
    at = [thresholds_at(epoch / epochs, settings) for epoch in range(epochs)]
    assert at[0].upper == settings["upper_from"]
    assert (at[0].upper - at[1].upper, at[0].lower - at[1].lower) == pytest.approx(step)
    assert at[-1] == pytest.approx(last)


def test_thresholds_move_in_a_line() -> None:
    assert moved(Thresholds(0.9, 0.1), Thresholds(0.5, 0.3), 0.25) == pytest.approx((0.8, 0.15))


# --- the trivial solution (dac.md section 8, T1)


@pytest.mark.parametrize("clusters_used", [1, 4, 10])
def test_any_labelling_that_agrees_with_itself_has_no_loss(clusters_used: int) -> None:
    labels = torch.eye(10, dtype=torch.float64)[torch.arange(100) % clusters_used]
    targets, weights = select(similarity(labels), Thresholds(0.95, 0.455), leave_out=True)
    assert weights.min() == 1
    assert targets.mean() == pytest.approx(1 / clusters_used)
    assert float(weighted_mean(pair_bce(labels, targets), weights)) < 1e-6
