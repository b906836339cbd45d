"""Non-linear classification of frozen features: learns what can be learned, on the training part alone."""

import numpy as np
import pytest
import torch
from torch import nn

from coterie.errors import ConfigError
from coterie.evidence.probe import ProbeSettings, classifier, probe

QUICK = ProbeSettings(epochs=15, lr=0.01, milestones=(10,))


def rings(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two rings around each other (n, 2), which of them, and whether to train on a point: no line parts them."""
    random = np.random.default_rng(0)
    classes = np.arange(n) % 2
    angle = random.uniform(0, 2 * np.pi, n)
    radius = 1.0 + 1.5 * classes + random.normal(0, 0.1, n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype(np.float32), classes, random.random(n) < 0.7


def test_classes_that_no_line_parts_are_learned() -> None:
    found = probe(*rings(), QUICK)
    assert found.accuracy > 0.97
    assert found.train_accuracy > 0.97
    assert len(found.by_epoch) == 15
    assert found.by_epoch[-1] == found.accuracy


def test_random_features_say_nothing_of_images_not_trained_on() -> None:
    _, classes, train = rings()
    noise = np.random.default_rng(1).normal(size=(400, 30)).astype(np.float32)
    found = probe(noise, classes, train, QUICK)
    assert found.train_accuracy > 0.9
    assert abs(found.accuracy - 0.5) < 0.15


def test_what_is_scored_is_not_learned_from() -> None:
    points, classes, train = rings()
    wrong = np.where(train, classes, 1 - classes)
    assert probe(points, wrong, train, QUICK).accuracy < 0.03


def test_classes_may_be_text_and_features_maps() -> None:
    points, classes, train = rings()
    named = np.array(["inner", "outer"])[classes]
    assert probe(points.reshape(400, 2, 1), named, train, QUICK) == probe(points, classes, train, QUICK)


def test_the_same_seed_gives_the_same_figures_and_the_callers_draws_are_left_alone() -> None:
    torch.manual_seed(3)
    first = probe(*rings(), QUICK)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    assert probe(*rings(), QUICK) == first
    assert probe(*rings(), ProbeSettings(epochs=15, lr=0.01, milestones=(10,), random_state=1)) != first


def test_the_small_network_is_that_of_the_paper() -> None:
    net = classifier(64, 10, ProbeSettings())
    assert [type(layer) for layer in net] == [nn.Linear, nn.Dropout, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert (net[0].in_features, net[0].out_features, net[1].p, net[4].out_features) == (64, 200, 0.1, 10)
    defaults = ProbeSettings()
    assert (defaults.lr, defaults.batch_size, defaults.milestones) == (1e-4, 64, (50, 100))


def test_a_last_batch_of_one_is_no_failure() -> None:
    points, classes, _ = rings(120)
    found = probe(points, classes, np.arange(120) < 65, ProbeSettings(epochs=1))
    assert 0 <= found.accuracy <= 1


@pytest.mark.parametrize(
    ("classes", "train", "sentence"),
    [
        ([0, 1], [True, False, True], "features, classes and train are of 3, 2 and 3 images"),
        ([0, 1, 1], [True, False], "are of 3, 3 and 2 images"),
        ([0, 1, 1], [True, True, True], "3 of 3 images are to train on"),
        ([0, 1, 1], [True, False, False], "1 of 3 images are to train on"),
    ],
)
def test_parts_that_do_not_fit_are_refused(classes: list[int], train: list[bool], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        probe(np.zeros((3, 2)), classes, train)


def test_settings_outside_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="dropout is 2"):
        ProbeSettings(dropout=2)
    with pytest.raises(ConfigError, match="batch_size is 1"):
        ProbeSettings(batch_size=1)
