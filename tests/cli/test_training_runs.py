"""What a method that trains adds to a run: files, entries of run.json, lines of the commands."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.runner import Done, info, rows, run_here
from cli.toy_method import Toy, register
from cli.training_runs import TOY
from conftest import use_stores
from coterie.files.run_folder import RunFolder

Command = Callable[..., Done]
PARTS = [
    "answers.npz", "assignments.csv", "embedding.npy", "map.npy", "metrics.jsonl", "model", "page.html", "run.json",
    "skipped.csv", "snapshots.npz", "thumbnails",
]  # fmt: skip


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture(scope="module")
def trained_once(stores: Path, photos: Path) -> tuple[Path, Done]:
    run = photos.parent / "trained"
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        use_stores(patch, stores)
        options = ("--classes", "folders", "--assign", "linkage", "--tensorboard")
        done = run_here("cluster", photos, *TOY, "--out", run, *options)
    assert done.code == 0, done.err
    return run, done


@pytest.fixture
def trained(trained_once: tuple[Path, Done]) -> Path:
    """A finished run of the toy, with classes and TensorBoard; only to be read."""
    return trained_once[0]


def test_a_trained_run_holds_its_parts_and_no_checkpoints(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == sorted([*PARTS, "tensorboard"])
    (event_file,) = (trained / "tensorboard").iterdir()
    assert event_file.stat().st_size > 0


def test_every_file_and_key_of_a_trained_run_stands_on_the_page_about_the_run_folder(trained: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/run-folder.md").read_text(encoding="utf-8")
    names = [f"{item.name}/" if item.is_dir() else item.name for item in trained.iterdir()]
    about = info(trained)
    keys = [*about, *about["answers"], *about["answers"]["answers"][0], *about["timings"]]
    with np.load(trained / "snapshots.npz", allow_pickle=False) as snapshots:
        keys += snapshots.files
    assert [name for name in [*names, *keys] if f"`{name}`" not in text] == []


def test_without_tensorboard_there_is_no_such_folder(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos, *TOY, "--out", "run").code == 0
    assert sorted(path.name for path in Path("run").iterdir()) == PARTS


def test_every_answer_has_a_label_for_every_image(trained: Path) -> None:
    with np.load(trained / "answers.npz", allow_pickle=False) as answers:
        assert sorted(answers.files) == ["head", "linkage"]
        assert {(labels.shape, labels.dtype) for labels in answers.values()} == {((60,), np.dtype(np.int64))}
        assert answers["linkage"].tolist() == [int(row[1]) for row in rows(trained / "assignments.csv")[1:]]


def test_run_json_names_the_answers_how_far_they_agree_and_why_one_was_chosen(trained: Path) -> None:
    answers = info(trained)["answers"]
    assert (answers["chosen"], answers["because"]) == ("linkage", "linkage was asked for")
    assert [(row["name"], row["n_clusters"], row["ari"]) for row in answers["answers"]] == [
        ("head", 3, 1.0),
        ("linkage", 3, 1.0),
    ]
    assert [row["scores"]["accuracy"] for row in answers["answers"]] == [1, 1]
    assert info(trained)["scores"]["accuracy"] == 1


def test_without_classes_no_answer_has_scores(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos, *TOY, "--out", "run").code == 0
    assert "scores" not in info(Path("run"))
    assert all(row.keys() == {"name", "n_clusters", "ari"} for row in info(Path("run"))["answers"]["answers"])


def test_the_figures_and_snapshots_are_those_of_the_training(trained: Path) -> None:
    run = RunFolder.open(trained)
    assert run.training is not None
    assert [(record["phase"], record["epoch"], record["step"]) for record in run.training] == [
        (1, 1, 4), (1, 2, 8), (1, 3, 12), (1, 4, 16),
    ]  # fmt: skip
    assert [record["n_clusters"] for record in run.training] == [40, 40, 20, 20]
    assert run.snapshots is not None
    assert [(shot.title, shot.n_clusters, shot.positions.shape) for shot in run.snapshots] == [
        (f"epoch {n}", k, (60, 3)) for n, k in ((1, 40), (2, 40), (3, 20), (4, 20))
    ]


def test_the_command_says_what_it_will_take_and_which_answer_it_gives(trained_once: tuple[Path, Done]) -> None:
    run, done = trained_once
    told, memory, *epochs = done.err.splitlines()
    assert told == "images of 12 x 12 train one layer"
    assert memory.startswith("training needs 1 MB and what the layers keep (images 1 MB, weights 1 MB")
    assert [line.split()[1] for line in epochs] == ["1/4", "2/4", "3/4", "4/4"]
    assert all("loss=" in line and "nonempty=" in line for line in epochs)
    found, answer, others = done.out.splitlines()[1:4]
    assert found == "found 3 groups by toy"
    assert answer == "answer linkage: linkage was asked for"
    assert others == "agreement of the other answers with it (ARI): head 1.000"
    assert info(run)["warnings"] == []


def test_the_model_that_is_saved_knows_nothing_of_the_folder_it_was_trained_in(trained: Path) -> None:
    config = json.loads((trained / "model/model.json").read_text(encoding="utf-8"))["config"]
    assert [config.get(name) for name in ("run_folder", "progress") if config.get(name)] == []
    assert str(trained) not in (trained / "model/model.json").read_text(encoding="utf-8")
    assert "run_folder" not in info(trained)["config"]
    assert "features_used" not in info(trained)["config"]
    assert "training" in info(trained)["timings"]


def test_evaluate_scores_every_answer_the_chosen_one_first(coterie: Command, trained: Path) -> None:
    done = coterie("evaluate", trained, "--classes", "folders")
    assert (done.code, done.err) == (0, "")
    header, *lines = done.out.splitlines()
    assert header.split() == ["linkage", "head"]
    table = {line.split()[0]: line.split()[1:] for line in lines}
    assert table["accuracy"] == ["1.0000", "1.0000"]
    assert len({line.index(line.split()[2]) for line in lines}) == 1, "one column for each answer"
    scores = json.loads(coterie("evaluate", trained, "--classes", "folders", "--json").out)
    assert list(scores["answers"]) == ["linkage", "head"]
    assert scores["answers"]["linkage"].items() <= scores.items()


def test_counts_of_the_classes_stand_once_in_the_table_of_answers(coterie: Command, trained: Path) -> None:
    lines = [f"{row[0]},{row[0][0]}" for row in rows(trained / "assignments.csv")[1:41]]
    Path("classes.csv").write_text("\n".join(["path,class", *lines]))
    done = coterie("evaluate", trained, "--classes", "classes.csv")
    table = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[1:]}
    assert (table["matched"], table["without_class"], len(table["ari"])) == (["40"], ["20"], 2)


def test_export_hands_over_the_chosen_answer(coterie: Command, trained: Path) -> None:
    assert coterie("export", trained, "--to", "csv", "--out", "groups.csv").code == 0
    assert [row[:2] for row in rows(Path("groups.csv"))] == [row[:2] for row in rows(trained / "assignments.csv")]


def test_a_run_of_another_method_leaves_nothing_of_the_training(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos, *TOY, "--out", "run", "--tensorboard").code == 0
    assert coterie("cluster", photos, "-k", "3", "--map", "pca", "--out", "run", "--force").code == 0
    kept = {path.name for path in Path("run").iterdir()}
    assert not kept & {"answers.npz", "metrics.jsonl", "snapshots.npz", "tensorboard", "training"}
    assert "answers" not in info(Path("run"))


def test_a_method_that_logs_and_shows_nothing_still_makes_a_run(
    coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Toy._train

    def quiet(self: Toy, *args: object) -> None:
        train(self, *args)  # type: ignore[arg-type]
        del self.snapshots_, self.answers_
        self.timings_ = {"features": 1.25}

    monkeypatch.setattr(Toy, "_train", quiet)
    done = coterie("cluster", photos, *TOY, "--out", "run", "--epochs", "1")
    assert done.code == 0, done.err
    assert not {path.name for path in Path("run").iterdir()} & {"answers.npz", "snapshots.npz"}
    assert info(Path("run"))["timings"]["training"] == 1.25
