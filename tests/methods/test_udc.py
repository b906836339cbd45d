"""UDC as a whole: trains, compares its runs, explains itself, saves, places new images, refuses what cannot be."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import coterie
from coterie.errors import ConfigError, DivergenceWarning, TrainingError
from coterie.methods import METHODS, gan_parts, run_comparison
from coterie.methods import udc as module
from coterie.methods.run_draws import RunDraws
from coterie.methods.udc import NEXT_SEED, UDC
from coterie.metrics import nmi
from coterie.training.run import Run
from methods.patterns import K, patterns
from methods.udc_runs import EVERYTHING, IMAGES, SETTINGS, train


@pytest.fixture(scope="module")
def model(one_thread: None) -> UDC:
    return train(None)


def test_the_method_is_known_by_its_name() -> None:
    assert METHODS["udc"] is UDC


def test_a_fit_answers_with_the_head_of_one_run_and_keeps_the_others(model: UDC) -> None:
    other = 3 - model.chosen_run_
    assert set(model.answers_) == {"head", "linkage", f"run-{other}", f"linkage-of-run-{other}"}
    for labels, confidence in model.answers_.values():
        assert labels.shape == confidence.shape == (len(IMAGES),)
        assert (labels.dtype, confidence.dtype) == (np.int64, np.float32)
        assert 0 <= confidence.min() <= confidence.max() <= 1
    assert model.assigned_ == "head"
    assert np.array_equal(model.labels_, model.answers_["head"].labels)
    assert "assign='head' asked for it; run" in model.assigned_because_
    assert model.embedding_.shape == (len(IMAGES), 8 * 3 * 3)
    assert model.samples_.shape == (model.head_bias_.shape[0], 8, 1, 12, 12)
    assert model.samples_.dtype == np.uint8


def test_where_the_linkage_answers_its_clusters_show_what_was_drawn_for_most_of_their_images() -> None:
    by_head, by_linkage = train(None), train(None, assign="linkage")
    assert by_linkage.samples_.shape == (by_linkage.n_clusters_, 8, 1, 12, 12)
    largest = np.bincount(by_head.labels_[by_linkage.labels_ == 0]).argmax()
    assert np.array_equal(by_linkage.samples_[0], by_head.samples_[largest])


def test_the_runs_are_told_with_their_seeds_and_figures(model: UDC) -> None:
    assert [row["seed"] for row in model.runs_] == [0, NEXT_SEED]
    assert all(np.isfinite(row[name]) for row in model.runs_ for name in ("wasserstein", "entropy", "agreement"))
    assert all(0 <= row["kept"] <= 1 for row in model.runs_)
    first, second = model.runs_
    cut = sorted(1 - row["kept"] for row in model.runs_)
    by = "kept" if cut[1] > 2 * cut[0] else "mean_rank"
    better = first[by] > second[by] if by == "kept" else first[by] <= second[by]
    assert model.chosen_run_ == (1 if better else 2)
    np.testing.assert_allclose(np.diag(model.nmi_), 1)
    assert set(model.alternatives_) <= {1, 2} - {model.chosen_run_}


@pytest.mark.parametrize("assign", ["head", "linkage"])
def test_runs_are_alike_and_drawn_by_the_answer_that_counts(assign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_comparison, "other_features", lambda *given: [1 - given[-1]])  # however alike the two are
    model = train(None, assign=assign)
    other = 3 - model.chosen_run_
    name = f"run-{other}" if assign == "head" else f"linkage-of-run-{other}"
    labels = model.answers_[name].labels
    assert model.nmi_[0, 1] == pytest.approx(nmi(model.labels_, labels, "arithmetic"))
    assert model.alternatives_ == [other]
    assert list(model.alternative_samples_) == [name]
    assert model.alternative_samples_[name].shape == (labels.max() + 1, 8, 1, 12, 12)


def test_the_answers_of_runs_that_were_compared_on_some_images_are_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.methods.run_graphs.JUDGED", 20)
    model = train(None, assign="linkage")
    assert {len(answer.labels) for answer in model.answers_.values()} == {len(IMAGES)}
    assert {f"linkage-of-run-{3 - model.chosen_run_}", f"run-{3 - model.chosen_run_}"} < set(model.answers_)


def test_the_linkages_of_other_runs_are_those_that_they_would_answer_with() -> None:
    model = train(None, assign="linkage")
    other = 3 - model.chosen_run_
    assert np.array_equal(
        train(None, assign="linkage", choose=other).labels_, model.answers_[f"linkage-of-run-{other}"].labels
    )


def test_noise_is_not_made_of_the_numbers_that_the_weights_were(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    class Spy(RunDraws):
        def __init__(self, given: Any, *rest: Any) -> None:
            seeds.extend(given)
            super().__init__(given, *rest)

    monkeypatch.setattr(gan_parts, "RunDraws", Spy)
    model = train(None, iterations=1)
    assert len(seeds) == 2
    assert not set(seeds) & set(model.seeds())


def test_every_line_has_medians_and_the_figures_of_each_run(model: UDC) -> None:
    assert [record["iteration"] for record in model.training_] == [3, 6, 7]
    for record in model.training_:
        for name in ("wasserstein", "penalty", "cross_entropy", "fake_accuracy", "held_out", "entropy"):
            assert record[name] == pytest.approx(np.median(record[f"{name}_of_runs"]), abs=1e-4)
        assert record["eta"] == 10
        both = zip(record["wasserstein_of_runs"], record["cross_entropy_of_runs"], strict=True)
        assert record["loss"] == pytest.approx(
            np.median([far + record["eta"] * unsure for far, unsure in both]), abs=0.01
        )
        assert record["images_per_second"] > 0
    steps = [record["step"] for record in model.training_]
    assert steps == [3 * 4, 6 * 4, 7 * 4]  # two critic steps, one of the classifier, one of the generator


def test_a_run_alone_is_the_first_of_several() -> None:
    one, several = train(None, n_runs=1), train(None, choose=1)
    np.testing.assert_allclose(one.embedding_, several.embedding_, atol=1e-4)
    assert np.array_equal(one.labels_, several.labels_)
    np.testing.assert_allclose(
        [record["wasserstein"] for record in one.training_],
        [record["wasserstein_of_runs"][0] for record in several.training_],
        atol=1e-4,
    )
    assert "it is the only run" in one.assigned_because_


@pytest.mark.parametrize("settings", [{}, {**EVERYTHING, "checkpoint": "last"}], ids=["plain", "everything"])
def test_each_stacked_run_is_a_single_run_of_its_seed_on_the_same_real_images(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the real images is the training's and not a run's; all other random numbers are a run's own."""
    stacked = train(None, **settings, n_runs=3)
    monkeypatch.setattr(module, "run_of", partial(module.run_of, random_state=0))
    for i, seed in enumerate(stacked.seeds(), 1):
        one = train(None, **settings, n_runs=1, random_state=seed)
        answer = stacked.answers_["head" if i == stacked.chosen_run_ else f"run-{i}"]
        np.testing.assert_allclose(one.answers_["head"].confidence, answer.confidence, atol=1e-4)
        for name in ("wasserstein", "penalty", "cross_entropy", "held_out", "entropy"):
            own = [record[f"{name}_of_runs"][i - 1] for record in stacked.training_]
            np.testing.assert_allclose([record[name] for record in one.training_], own, atol=1e-3, rtol=1e-3)
        assert one.training_[0]["wasserstein"] != stacked.training_[0]["wasserstein_of_runs"][i % 3]


def test_several_etas_are_dealt_to_the_runs_and_each_trains_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stacked = train(None, n_runs=3, eta="1,40", gamma=1.5, tau=2)
    assert [row["eta"] for row in stacked.runs_] == [1, 40, 1]
    assert "n_noise" not in stacked.runs_[0]  # what all runs share is among the parameters
    assert stacked.training_[0]["eta_of_runs"] == [1.5, 60, 1.5]
    monkeypatch.setattr(module, "run_of", partial(module.run_of, random_state=0))
    for i, (seed, eta) in enumerate(zip(stacked.seeds(), (1, 40, 1), strict=True)):
        one = train(None, n_runs=1, random_state=seed, eta=eta, gamma=1.5, tau=2)
        for name in ("wasserstein", "cross_entropy", "entropy"):
            own = [record[f"{name}_of_runs"][i] for record in stacked.training_]
            np.testing.assert_allclose([record[name] for record in one.training_], own, atol=1e-3, rtol=1e-3)


def test_several_amounts_of_noise_are_dealt_to_the_runs_and_told() -> None:
    model = train(None, n_runs=2, n_noise=[1, 4], noise_scale="0.1,1", class_noise=(0, 0.3))
    rows = [(row["n_noise"], row["noise_scale"], row["class_noise"]) for row in model.runs_]
    assert rows == [(1, 0.1, 0), (4, 1, 0.3)]


def test_a_model_of_a_release_whose_cuda_graph_was_true_or_false_can_be_fitted_again() -> None:
    for given in (True, False):
        assert train(None, n_runs=1, iterations=1, cuda_graph=given).runs_


def test_another_run_can_be_asked_to_answer(model: UDC) -> None:
    other = 3 - model.chosen_run_
    found = train(None, choose=other)
    assert f"choose={other} asked for run {other} of 2" in found.assigned_because_
    assert found.chosen_run_ == other
    assert np.array_equal(found.labels_, model.answers_[f"run-{other}"].labels)


def test_the_last_state_answers_by_default_and_the_moments_that_could_have_are_told(model: UDC) -> None:
    assert [(row["run"], row["iteration"]) for row in model.moments_] == [(i, at) for at in (3, 6, 7) for i in (1, 2)]
    assert [row["iteration"] for row in model.runs_] == [7, 7]
    assert "answers as it was" not in model.assigned_because_
    assert "last" not in model.answers_
    assert [shot.title for shot in model.snapshots_] == ["at the end"]
    for row, at_the_end in zip(model.runs_, model.moments_[-2:], strict=True):
        assert row.items() - at_the_end.items() <= {(name, row[name]) for name in ("seed", "kept", "mean_rank")}


def test_a_run_that_answers_from_an_earlier_moment_is_a_training_that_had_ended_there(
    model: UDC, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "best_moments", lambda figures: [0] * len(figures[0].entropy))
    early, ended = train(None, checkpoint="auto"), train(None, iterations=3)
    assert early.runs_ == ended.runs_
    assert early.chosen_run_ == ended.chosen_run_
    assert np.array_equal(early.embedding_, ended.embedding_)
    assert np.array_equal(early.head_weight_, ended.head_weight_)
    assert np.array_equal(early.samples_, ended.samples_)
    for name, answer in ended.answers_.items():
        assert np.array_equal(early.answers_[name].confidence, answer.confidence)
    last = "head" if early.chosen_run_ == model.chosen_run_ else f"run-{early.chosen_run_}"
    assert np.array_equal(early.answers_["last"].labels, model.answers_[last].labels)
    assert f"run {early.chosen_run_} answers as it was after iteration 3 of 7" in early.assigned_because_
    assert [shot.title for shot in early.snapshots_] == ["after 3 iterations"]


def test_runs_may_answer_from_moments_of_their_own(model: UDC, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "best_moments", lambda figures: [1, 2])
    mixed, ended = train(None, checkpoint="auto", choose=1), train(None, iterations=6, choose=1)
    assert [row["iteration"] for row in mixed.runs_] == [6, 7]
    assert np.array_equal(mixed.answers_["head"].confidence, ended.answers_["head"].confidence)
    second = "head" if model.chosen_run_ == 2 else "run-2"
    np.testing.assert_allclose(mixed.answers_["run-2"].confidence, model.answers_[second].confidence, atol=1e-6)


def test_the_moment_of_a_run_is_the_one_whose_figures_rank_best() -> None:
    found = train(None, checkpoint="auto")
    for row in found.runs_:
        own = [moment for moment in found.moments_ if moment["run"] == row["run"]]
        at = next(moment for moment in own if moment["iteration"] == row["iteration"])
        assert at["mean_rank"] == min(moment["mean_rank"] for moment in own)
        assert at["entropy"] == row["entropy"]


@pytest.mark.parametrize("assign", ["head", "linkage", "auto"])
def test_a_saved_model_places_new_images_as_before(assign: str, tmp_path: Path) -> None:
    model = train(None, assign=assign)
    model.save(tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    new = patterns(each=3, noise=30, seed=0)[0]
    assert np.array_equal(loaded.predict(new), model.predict(new))
    np.testing.assert_allclose(loaded.predict_proba(new), model.predict_proba(new), atol=1e-6)
    if model.assigned_ == "head":
        assert np.array_equal(model.predict_proba(IMAGES).argmax(1), model.labels_)


@pytest.mark.parametrize(
    "changes",
    [
        {"prior": "0.2,0.3,0.5"},
        {"prior": "learned"},
        {"critic_heads": 10, "schedule": "code"},
        {"penalty": 1.0, "eta": 0.5, "tau": 2, "gamma": 1.5},
        {"augment": "udc"},
        {"augment": "udc", "consistency": 1.0},
        {"g_norm": "bn"},
        {"ema_generator": 0.0, "ema_classifier": 0.0},
        {"held_out": 0.0},
        {"checkpoint": "auto", "n_runs": 1},
        {"n_noise": 0, "n_runs": 1},
        {"precision": "bf16"},
        {"batch_size": 50},
        {"beside": 3, "critic_heads": 10},
        {"beside": 3, "precision": "bf16", "held_out": 0.0},
        {"beside": 3, "g_norm": "bn"},
        EVERYTHING,
    ],
    ids=str,
)
def test_every_switch_of_paper_and_code_trains(changes: dict[str, Any]) -> None:
    model = train(None, **{"iterations": 3, "every": 2, **changes})
    assert np.isfinite(model.embedding_).all()
    assert all(np.isfinite(record["cross_entropy"]) for record in model.training_)


def test_colour_is_learned_from_too() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    model = UDC(**{**SETTINGS, "iterations": 2}).fit(images)
    assert model.samples_.shape[1:] == (8, 3, 16, 16)
    assert model.embedding_.shape == (20, 8 * 4 * 4)


def test_the_settings_of_paper_and_code_are_the_same_loss() -> None:
    """udc.md section 4: ten heads at lambda 10, eta 1 are one head at lambda 100, eta 10."""
    cpu = torch.device("cpu")
    paper, code = UDC(iterations=900_000), UDC(iterations=900_000, critic_heads=10, schedule="code")
    assert (paper.plan().terms(0, cpu).penalty, paper.plan().terms(0, cpu).eta) == (100, 10)
    assert (code.plan().terms(0, cpu).penalty, code.plan().terms(0, cpu).eta) == (10, 1)
    assert (
        paper.plan().terms(899_999, cpu).eta
        == UDC(iterations=30_000).plan().terms(29_999, cpu).eta
        == pytest.approx(1978, abs=0.5)
    )
    assert [UDC(iterations=3000).plan().terms(t, cpu).eta for t in (999, 1000, 2999)] == [10, 12, pytest.approx(14.4)]


def test_each_schedule_has_the_counts_of_its_source() -> None:
    """udc.md section 3: 5 and 4 throughout; 5 and 2, from iteration 300,000 of 900,000 on 10 and 4."""
    paper, code = UDC(iterations=900_000), UDC(iterations=900_000, schedule="code")
    assert [paper.plan().counts(t) for t in (0, 300_000, 899_999)] == 3 * [(5, 4)]
    assert [code.plan().counts(t) for t in (0, 299_999, 300_000, 899_999)] == [(5, 2), (5, 2), (10, 4), (10, 4)]
    assert UDC(iterations=7, schedule="code", n_critic=1, n_class=3).plan().counts(3) == (2, 6)
    assert [UDC(iterations=7, schedule="code", n_class=3).plan().counts(t)[1] for t in range(5)] == [3, 3, 3, 6, 6]


@pytest.mark.parametrize("every", [1, 2, 5, 7])
def test_the_steps_double_at_their_iteration_and_not_at_the_next_line(
    every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, iterate = [], module.iterate

    def spy(players: Any, real: Any, draw: Any, *more: Any) -> Any:
        seen.append((len(real), len(draw.noise)))
        return iterate(players, real, draw, *more)

    monkeypatch.setattr(module, "iterate", spy)
    model = train(None, schedule="code", every=every)
    assert seen == 3 * [(2, 2 + 1 + 1)] + 4 * [(4, 4 + 2 + 1)]
    assert model.training_[-1]["iteration"] == 7


def test_a_loss_that_is_no_number_names_the_run_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def iterate(players: Any, real: Any, draw: Any, terms: Any, update: Any, change: Any) -> Any:
        update("classifier", (players.classifier.module.head.weight.sum((1, 2)) * torch.tensor([1.0, float("nan")])))

    monkeypatch.setattr(module, "iterate", iterate)
    with pytest.raises(TrainingError, match=r"loss became NaN at epoch 1 step 1 .*the classifier's, in run 2 of 2"):
        train(None)


def test_a_run_that_drifts_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    look, seen = module.Probe.look, []

    def rising(self: Any, *given: Any) -> dict[str, list[float]]:
        seen.append(1)
        far = 10.0 * abs(len(seen) - 6) + 0.1
        return look(self, *given) | {"held_out": [0.5, far]}

    monkeypatch.setattr(module.Probe, "look", rising)
    with pytest.warns(DivergenceWarning, match=r"generated by run 2 of 2 came near the real ones and went away"):
        model = UDC(**{**SETTINGS, "iterations": 12, "every": 1}).fit(IMAGES)
    assert [row["drifting"] for row in model.runs_] == [False, True]
    assert model.chosen_run_ == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_clusters": 1}, "n_clusters is 1, and UDC learns by telling clusters apart"),
        ({"iterations": 0}, "iterations is 0; expected a whole number of at least 1"),
        ({"n_runs": 0}, "n_runs is 0"),
        ({"choose": 4}, "choose is 4, and there are 2 runs; give 1 to 2"),
        ({"choose": "best"}, 'choose is .best.; expected a whole number of at least 1 or "auto"'),
        ({"batch_size": 1}, "batch_size is 1; expected a whole number of at least 2"),
        ({"n_noise": "4,x"}, "n_noise is '4,x'; expected a number, or several"),
        ({"n_noise": "4,1.5"}, "n_noise is 1.5; expected a whole number of at least 0"),
        ({"eta": "1,-1"}, "eta is -1; expected a finite number of at least 0"),
        ({"class_noise": [-0.1]}, "class_noise is -0.1; expected a finite number of at least 0"),
        ({"cuda_graph": "never"}, "cuda_graph is 'never'; expected one of auto, off"),
        ({"eta": "1,2,3"}, "eta is '1,2,3', 3 numbers for 2 runs; give more n_runs or fewer"),
        ({"checkpoint": "best"}, "checkpoint is 'best'; expected one of last, auto"),
        ({"schedule": "mine"}, "schedule is 'mine'; expected one of paper, code"),
        ({"consistency": 1.0}, "consistency is 1.0 and compares variants of images; give augment='udc'"),
        ({"augment": "mice"}, "augment is 'mice'; expected one of none, udc"),
        ({"prior": "0.5,0.5"}, "prior is '0.5,0.5'; expected 3 shares"),
        ({"held_out": 0.7}, "held_out is 0.7"),
        ({"ema_classifier": 1.5}, "ema_classifier is 1.5"),
        ({"penalty": -1}, "penalty is -1"),
        ({"eta": "high"}, "eta is 'high'"),
        ({"lr": 0}, "lr is 0"),
        ({"tau": 0}, "tau is 0"),
        ({"n_class": 0}, "n_class is 0"),
        ({"n_class": "few"}, "n_class is 'few'"),
        ({"assign": "student"}, "assign is 'student'; expected one of auto, head, linkage"),
    ],
    ids=str,
)
def test_a_parameter_outside_its_range_is_refused_before_training(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        UDC(**{**SETTINGS, **settings}).fit(IMAGES)


def test_features_are_refused_since_there_is_nothing_to_train_on() -> None:
    with pytest.raises(ConfigError, match="UDC trains on images"):
        UDC(**SETTINGS).fit(np.zeros((50, 8)))


@pytest.mark.filterwarnings("ignore::coterie.errors.CollapseWarning")  # seven images and two iterations
def test_fewer_images_than_a_batch_are_walked_again_and_again() -> None:
    found = UDC(**{**SETTINGS, "n_clusters": 2, "batch_size": 30, "iterations": 2}).fit(IMAGES[:7])
    assert len(found.labels_) == 7


def test_images_held_out_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    batches = Run.batches

    def spy(self: Run, *given: Any, **named: Any) -> Any:
        for batch in batches(self, *given, **named):
            seen.update(batch.index.tolist())
            yield batch

    monkeypatch.setattr(Run, "batches", spy)
    train(None, iterations=20, every=5)
    assert len(seen) == len(IMAGES) - round(0.2 * len(IMAGES))
    assert K == 3
