"""Seeds that are run, kept, cut off and refused, on a method made for it."""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from coterie.classical import CLASSICAL
from coterie.errors import ConfigError, GraphWarning, OutputError, SourceError
from coterie.evidence.protocol import Circumstances
from coterie.evidence.recipe import Recipe, parse_recipe
from coterie.evidence.reproduce import Reproduction, differences, first_seeds, reproduce
from coterie.files.lock import RunLock

TEXT = """
[recipe]
name = "toy"
description = "A toy."
protocol = "All images."
[data]
set = "digits"
[method]
name = "toy"
[method.parameters]
sharpness = 2
"""


class Answer(NamedTuple):
    labels: np.ndarray
    confidence: np.ndarray


class Toy(BaseEstimator):  # type: ignore[misc]
    """Gives two answers, keeps a file in its folder as a training does, and can be cut off."""

    fits: list[tuple[Any, ...]] = []  # noqa: RUF012 (what the tests look at)
    cut_off_at: int | None = None

    def __init__(
        self, n_clusters: int = 2, *, sharpness: int = 1, epochs: int = 5, random_state: int = 0,
        run_folder: Path | None = None, device: str = "auto", progress: bool = False,
    ) -> None:  # fmt: skip
        self.n_clusters = n_clusters
        self.sharpness = sharpness
        self.epochs = epochs
        self.random_state = random_state
        self.run_folder = run_folder
        self.device = device
        self.progress = progress

    def check_parameters(self) -> None:
        """All are right."""

    def fit(self, X: np.ndarray) -> None:
        assert self.run_folder is not None
        self.run_folder.mkdir(exist_ok=True)
        (self.run_folder / "metrics.jsonl").write_text("")
        Toy.fits.append((self.n_clusters, self.random_state, self.epochs, self.run_folder, self.device, X.shape))
        if Toy.cut_off_at == self.random_state:
            raise KeyboardInterrupt
        warnings.warn("a toy's graph", GraphWarning, stacklevel=2)
        random = np.random.default_rng(self.random_state)
        sure = np.ones(len(X), np.float32)
        self.answers_ = {name: Answer(random.integers(0, 10, len(X)), sure) for name in ("plain", "robust")}
        self.assigned_, self.assigned_because_ = "robust", "it is the robust one"
        self.labels_ = self.answers_["robust"].labels
        self.training_ = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.full(len(X), self.labels_[0])


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(CLASSICAL, "toy", Toy)  # type: ignore[arg-type]
    monkeypatch.setattr(Toy, "cut_off_at", None)
    Toy.fits.clear()
    with warnings.catch_warnings(record=True):  # noted by a record, and not by pytest
        yield


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Reproduction]:
    def ask(*seeds: int, recipe: Recipe | None = None, **changes: Any) -> Reproduction:
        found = recipe or parse_recipe(TEXT, "toy")
        return replace(Reproduction(found, seeds or (0, 1), Path("nowhere"), tmp_path / "out"), **changes)

    return ask


Ask = Callable[..., Reproduction]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def labels_kept(folder: Path) -> np.ndarray:
    with np.load(folder / "out/seed-3.npz") as arrays:
        return np.asarray(arrays["robust"])


def test_each_seed_runs_once_with_what_the_recipe_says(asked: Ask, tmp_path: Path) -> None:
    done = list(reproduce(asked(3, 5, circumstances=Circumstances("cpu"))))
    shape = (1797, 1, 8, 8)
    assert Toy.fits == [(10, seed, 5, tmp_path / f"out/seed-{seed}", "cpu", shape) for seed in (3, 5)]
    assert [(item.seed, item.kept) for item in done] == [(3, False), (5, False)]
    names = {"seed-3", "seed-3.json", "seed-3.npz", "seed-5", "seed-5.json", "seed-5.npz", "summary.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


def test_a_record_holds_scores_of_every_answer_and_what_they_depend_on(asked: Ask, tmp_path: Path) -> None:
    (done,) = reproduce(asked(3))
    record = read(tmp_path / "out/seed-3.json")
    assert record == done.record
    assert (record["chosen"], record["chosen_because"]) == ("robust", "it is the robust one")
    assert record["scores"] == record["answers"]["robust"]
    assert record["answers"].keys() == {"plain", "robust"}
    assert record["scores"].keys() == {"n_clusters", "acc", "nmi", "ari"}
    assert record["agreement"] == pytest.approx((labels_kept(tmp_path) == labels_kept(tmp_path)[0]).mean(), abs=1e-4)
    assert record["last_epoch"] == {"epoch": 2, "loss": 1.0}
    assert record["parameters"] == {"n_clusters": 10, "sharpness": 2, "epochs": 5}
    assert record["warnings"] == [{"kind": "GraphWarning", "message": "a toy's graph"}]
    assert (record["seed"], record["continued"], record["device"]) == (3, False, "auto")
    assert record["recipe"]["method"] == {"name": "toy", "parameters": {"sharpness": 2}}
    assert record["machine"].keys() == {"cpu", "cores", "threads", "gpu", "system"}
    assert {"python", "torch", "numpy", "coterie"} < record["versions"].keys()
    assert record["peak_memory_gb"] > 0
    assert record["seconds"] >= 0
    assert str(tmp_path) not in json.dumps(record)


def test_scores_can_be_computed_again_from_the_labels_that_are_kept(asked: Ask, tmp_path: Path) -> None:
    from coterie.evidence.datasets import load
    from coterie.evidence.protocol import score

    (done,) = reproduce(asked(0))
    classes = load("digits", Path()).classes
    with np.load(tmp_path / "out/seed-0.npz", allow_pickle=False) as kept:
        assert {name: score(classes, kept[name]) for name in kept.files} == done.record["answers"]


def test_the_embedding_of_a_method_that_trains_is_kept_beside_its_labels(
    asked: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Learner(Toy):
        def fit(self, X: np.ndarray) -> None:
            super().fit(X)
            self.embedding_ = np.arange(3 * len(X), dtype=np.float64).reshape(-1, 3)

    monkeypatch.setitem(CLASSICAL, "toy", Learner)  # type: ignore[arg-type]
    list(reproduce(asked(0)))
    with np.load(tmp_path / "out/seed-0.npz", allow_pickle=False) as kept:
        assert set(kept.files) == {"plain", "robust", "embedding"}
        assert kept["embedding"].dtype == np.float32
        np.testing.assert_array_equal(kept["embedding"][1], [3, 4, 5])


def test_features_that_nothing_was_trained_for_are_not_kept(asked: Ask, tmp_path: Path) -> None:
    text = TEXT.replace('name = "toy"', 'name = "kmeans"').partition("[method.parameters]")[0]
    list(reproduce(asked(0, recipe=parse_recipe(text, "k-means"))))
    with np.load(tmp_path / "out/seed-0.npz", allow_pickle=False) as kept:
        assert kept.files == ["labels"]


def test_seeds_that_are_done_are_not_run_again_and_the_summary_is_of_all(asked: Ask, tmp_path: Path) -> None:
    list(reproduce(asked(0, 1)))
    Toy.fits.clear()
    done = list(reproduce(asked(1, 2)))
    assert [fit[1] for fit in Toy.fits] == [2]
    assert [(item.seed, item.kept) for item in done] == [(1, True), (2, False)]
    assert done[-1].summary["seeds"] == read(tmp_path / "out/summary.json")["seeds"] == [0, 1, 2]


def test_a_seed_that_was_cut_off_goes_on_in_its_folder_and_says_so(
    asked: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toy, "cut_off_at", 1)
    with pytest.raises(KeyboardInterrupt):
        list(reproduce(asked(0, 1, 2)))
    assert read(tmp_path / "out/summary.json")["seeds"] == [0]
    assert not (tmp_path / "out/seed-1.json").exists()
    assert not (tmp_path / "out/.lock").exists()
    monkeypatch.setattr(Toy, "cut_off_at", None)
    done = list(reproduce(asked(0, 1, 2)))
    assert [fit[1] for fit in Toy.fits] == [0, 1, 1, 2]
    assert Toy.fits[1][3] == Toy.fits[2][3]
    assert [item.record["continued"] for item in done] == [False, True, False]


def test_seeds_of_another_version_of_the_recipe_are_refused_with_what_changed(asked: Ask, tmp_path: Path) -> None:
    list(reproduce(asked(0)))
    recipe = parse_recipe(TEXT.replace("sharpness = 2", "sharpness = 3\nepochs = 9"), "toy")
    with pytest.raises(ConfigError) as error:
        list(reproduce(asked(1, recipe=recipe)))
    assert str(error.value) == (
        f"{tmp_path}/out holds seeds of toy with other settings (method.parameters.epochs was 'not set' and is now 9, "
        "method.parameters.sharpness was 2 and is now 3): give --out another folder, or delete that one"
    )
    assert len(Toy.fits) == 1


def test_a_recipe_with_other_words_goes_on(asked: Ask) -> None:
    list(reproduce(asked(0)))
    (done,) = reproduce(asked(0, recipe=parse_recipe(TEXT.replace("A toy.", "The toy."), "toy")))
    assert done.kept
    assert done.summary["recipe"]["description"] == "The toy."


def test_a_file_that_is_no_record_is_refused(asked: Ask, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out/seed-0.json"
    for text, words in (("{", "cannot be read"), ("[]", "is not the record of a seed"), ("{}", "is not the record")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            list(reproduce(asked(0)))
    path.write_text('{"format": "coterie seed", "format_version": 2}')
    with pytest.raises(ConfigError, match="written by another release"):
        list(reproduce(asked(0)))


def test_no_folder_appears_for_a_set_that_is_not_there(asked: Ask, tmp_path: Path) -> None:
    recipe = parse_recipe(TEXT.replace("digits", "mnist"), "toy")
    with pytest.raises(SourceError, match="the set mnist is not in"):
        list(reproduce(asked(0, recipe=recipe, data=tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused(asked: Ask, tmp_path: Path) -> None:
    with RunLock(tmp_path / "out"), pytest.raises(OutputError, match="in use by another run"):
        list(reproduce(asked(0)))


def test_a_method_without_anything_random_runs_once(asked: Ask) -> None:
    recipe = parse_recipe(TEXT.replace('"toy"\n[method.parameters]\nsharpness = 2', '"gdl"'), "toy")
    (done,) = reproduce(asked(4, 7, recipe=recipe))
    assert (done.seed, done.record["seed"]) == (0, None)
    assert done.record["answers"].keys() == {"labels"}
    assert done.record["last_epoch"] is None


def test_epochs_are_a_setting_like_any_other(asked: Ask) -> None:
    list(reproduce(asked(0, recipe=parse_recipe(TEXT, "toy").with_epochs(2))))
    assert Toy.fits[0][2] == 2
    with pytest.raises(ConfigError, match="epochs was 2 and is now 'not set'"):
        list(reproduce(asked(0)))


@pytest.mark.parametrize(("count", "seeds"), [(1, (3,)), (2, (3, 8)), (3, (3, 8, 9)), (5, (3, 8, 9, 10, 11))])
def test_the_first_seeds_are_those_of_the_recipe_and_then_the_next_numbers(count: int, seeds: tuple[int, ...]) -> None:
    recipe = replace(parse_recipe(TEXT, "toy"), seeds=(3, 8))
    assert first_seeds(recipe, count) == seeds


def test_differences_name_the_key_and_both_values() -> None:
    before, now = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}, "e": 5}
    assert differences(before, now) == [
        "a.c was 2 and is now 4", "d was 3 and is now 'not set'", "e was 'not set' and is now 5",
    ]  # fmt: skip
