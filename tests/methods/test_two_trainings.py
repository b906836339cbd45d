"""TCC in two processes: what one process learns, to rounding; the same bits in both, also after a stop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.methods.jule import JULE
from methods.two_trainings import PLAIN, TAUGHT, stripes, train
from two import Saved, launched, start_two


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-trainings")


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Saved, Saved]:
    """What each of two processes that trained together left behind."""
    return start_two("methods.two_trainings", folder)


def of(saved: Saved, name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{name} "): value for key, value in saved.items() if key.startswith(f"{name} ")}


def test_two_processes_train_what_one_trains_queues_and_figures_included(both: tuple[Saved, Saved]) -> None:
    two = of(both[0], "plain")
    alone = train(**PLAIN)
    del alone["student"]  # a network of its own, whose 1,000 steps blow a rounding of the embedding up
    for name, value in alone.items():
        np.testing.assert_allclose(two[name], value.detach().numpy(), rtol=0, atol=5e-5, err_msg=name)
    moved = [
        np.abs(two[name] - two[name.replace("net", "twin", 1)]).max() for name in two if name.startswith("net enc")
    ]
    assert max(moved) > 5e-3  # the network has left its slow twin behind by far more than that


def test_both_processes_have_the_same_fitted_model(both: tuple[Saved, Saved]) -> None:
    assert [name for name in both[0] if not np.array_equal(both[0][name], both[1][name])] == []


def test_taught_by_one_linkage_both_find_the_kinds_that_one_process_finds(both: tuple[Saved, Saved]) -> None:
    two, alone = of(both[0], "straight"), train(**TAUGHT)
    np.testing.assert_array_equal(two["labels"], alone["labels"].numpy())
    np.testing.assert_array_equal(two["ids"], alone["ids"].numpy())
    assert {tuple(np.unique(two["labels"][kind::3])) for kind in range(3)} == {(0,), (1,), (2,)}


def test_a_stopped_training_goes_on_to_the_same_bits(both: tuple[Saved, Saved]) -> None:
    for saved in both:
        straight, resumed = of(saved, "straight"), of(saved, "resumed")
        assert [name for name in straight if not np.array_equal(straight[name], resumed[name])] == []


def test_a_method_whose_loop_was_not_made_for_it_refuses_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in launched(0, 2).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="2 processes were started, and this method trains in one: start it without"):
        JULE(3, device="cpu").fit(stripes())
