"""A small network that learns the surest labels of a linkage."""

import numpy as np
import torch

from coterie.methods.student import teach_student


def rings(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Two clusters on the sphere that no prototype holds: a cap and the ring around it."""
    random = np.random.default_rng(0)
    labels = np.arange(n) % 2
    angle, height = random.uniform(0, 2 * np.pi, n), np.where(labels == 0, 0.98, 0.6)
    wide = np.sqrt(1 - height**2)
    return np.stack([wide * np.cos(angle), wide * np.sin(angle), height], axis=1).astype(np.float32), labels


def test_a_student_learns_clusters_that_are_not_convex_from_some_of_their_images() -> None:
    features, labels = rings()
    lesson = np.where(np.arange(400) % 3 == 0, labels, -1)
    shares = teach_student(features, lesson, 2, seed=0).shares(features)
    assert (shares.argmax(1) == labels).mean() > 0.99
    np.testing.assert_allclose(shares.sum(1), 1)


def test_the_same_seed_makes_the_same_student_and_leaves_the_callers_generator_alone() -> None:
    features, labels = rings()
    before = torch.get_rng_state()
    first, again, other = (teach_student(features, labels, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.hidden, other.hidden)


def test_a_student_without_a_lesson_still_answers() -> None:
    features, labels = rings()
    shares = teach_student(features, np.full_like(labels, -1), 3, seed=0).shares(features)
    assert shares.shape == (400, 3)
    assert np.isfinite(shares).all()
