"""Criteria of made-up runs, how well they order them, and the run that is chosen."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import adjusted_rand_score, silhouette_score

from coterie.errors import ConfigError, RunFolderError
from coterie.evidence.choose import choose, gather
from coterie.evidence.criteria import CRITERIA, Candidate, candidates_in, figures
from coterie.evidence.prediction import association, best_by, loss_of_choice, selected
from coterie.evidence.protocol import score
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.grouping import neighbors_for
from coterie.graphs.neighbors import find_neighbors
from coterie.graphs.stop import mean_inside

TRUTH = np.repeat(np.arange(3), 40)


def blobs(apart: float, seed: int) -> np.ndarray:
    centers = np.random.default_rng(9).normal(size=(3, 4)) * apart
    return (centers[TRUTH] + np.random.default_rng(seed).normal(size=(120, 4))).astype(np.float32)


def moved(share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = TRUTH.copy()
    at = rng.random(len(labels)) < share
    labels[at] = rng.integers(0, 3, at.sum())
    return labels


def run(name: str, wrong: float, seed: int, **changes: Any) -> Candidate:
    answers = {"head": moved(wrong, seed), "linkage": moved(wrong / 2, seed + 50)}
    given: dict[str, Any] = {
        "name": name, "answers": answers, "chosen": "linkage", "embedding": blobs(4, seed), "n_clusters": 3,
        "loss": wrong, "scores": {answer: score(TRUTH, labels) for answer, labels in answers.items()},
    } | changes  # fmt: skip
    return Candidate(**given)


@pytest.fixture(scope="module")
def candidates() -> list[Candidate]:
    return [run("seed 0", 0.5, 0), run("seed 1", 0.05, 1), run("seed 2", 0.3, 2)]


@pytest.fixture(scope="module")
def rows(candidates: list[Candidate]) -> list[dict[str, Any]]:
    return figures(candidates)


def test_answers_of_trainings_that_a_run_did_not_choose_are_left_out(
    candidates: list[Candidate], rows: list[dict[str, Any]]
) -> None:
    more = {"run-2": moved(0.9, 7), "linkage-of-run-2": moved(0.9, 8)}
    with_others = [replace(one, answers=one.answers | more) for one in candidates]
    assert figures(with_others) == rows


def test_there_is_a_row_for_each_run_and_answer_with_every_criterion(rows: list[dict[str, Any]]) -> None:
    assert [(row["run"], row["answer"], row["chosen"]) for row in rows] == [
        (f"seed {seed}", answer, answer == "linkage") for seed in range(3) for answer in ("head", "linkage")
    ]
    for row in rows:
        assert row.keys() == {"run", "answer", "chosen", *CRITERIA, "acc", "nmi", "ari"}
    json.dumps(rows, allow_nan=False)


def test_agreement_is_with_the_same_answer_of_other_runs_and_with_other_answers_of_the_same_run(
    candidates: list[Candidate], rows: list[dict[str, Any]]
) -> None:
    heads = [candidate.answers["head"] for candidate in candidates]
    others = [adjusted_rand_score(heads[0], heads[i]) for i in (1, 2)]
    assert rows[0]["seeds"] == pytest.approx(np.mean(others), abs=1e-8)
    both = candidates[2].answers
    assert rows[4]["answers"] == rows[5]["answers"]
    assert rows[4]["answers"] == pytest.approx(adjusted_rand_score(both["head"], both["linkage"]), abs=1e-8)


def test_silhouette_and_edges_are_those_of_the_own_embedding(
    candidates: list[Candidate], rows: list[dict[str, Any]]
) -> None:
    one = candidates[1]
    assert one.embedding is not None
    labels = one.answers["linkage"]
    assert rows[3]["silhouette"] == pytest.approx(silhouette_score(one.embedding, labels), abs=1e-5)
    graph = affinity_graph(find_neighbors(one.embedding, neighbors_for(120, 3)))
    assert rows[3]["inside"] == pytest.approx(mean_inside(graph, labels), abs=1e-8)
    assert rows[3]["gap"] < rows[3]["inside"]
    assert rows[3]["loss"] == -0.05


def test_a_cluster_that_was_asked_for_and_is_empty_lowers_what_is_kept_inside() -> None:
    whole = run("a", 0.0, 0)
    two = run("b", 0.0, 0, answers={"head": np.minimum(TRUTH, 1), "linkage": np.minimum(TRUTH, 1)}, scores={})
    (first, *_), (second, *_) = figures([whole]), figures([two])
    assert first["inside"] > 0.9
    assert second["inside"] < 0.7
    assert second["entropy"] < first["entropy"] == pytest.approx(1)
    assert "acc" not in second


def test_agreement_under_changes_is_of_the_answer_that_was_chosen_alone() -> None:
    head, linkage = figures([run("a", 0.2, 0, agreement=0.75)])
    assert (head["agreement"], linkage["agreement"]) == (None, 0.75)
    assert linkage["chosen"]


def test_what_cannot_be_told_is_none() -> None:
    alone = run("a", 0.2, 0, answers={"labels": moved(0.2, 0)}, chosen="labels", embedding=None, loss=None, scores={})
    (row,) = figures([alone])
    assert {name for name in CRITERIA if row[name] is not None} == {"entropy"}
    one = run("a", 0.2, 0, answers={"labels": np.zeros(120, int)}, chosen="labels", scores={})
    (row,) = figures([one])
    assert row["silhouette"] is None
    assert row["inside"] == pytest.approx(1 / 3)


def test_runs_of_different_images_are_refused() -> None:
    short = run("b", 0.2, 0, answers={"head": np.zeros(5, int)}, chosen="head", embedding=None, scores={})
    with pytest.raises(ConfigError, match="different numbers of images"):
        figures([run("a", 0.2, 0), short])


def row(name: str, value: float | None, acc: float) -> dict[str, Any]:
    return {"run": name, "x": value, "acc": acc, "ari": acc - 0.1, "chosen": True}


def test_association_is_that_of_scipy_and_leaves_out_rows_without_a_figure() -> None:
    rng = np.random.default_rng(0)
    made = [row(str(i), float(rng.integers(0, 5)), float(rng.random())) for i in range(12)]
    told, known = [r["x"] for r in made], [r["ari"] for r in made]
    found = association([*made, row("none", None, 0.5)], "x")
    assert found.n == 12
    assert found.spearman == pytest.approx(spearmanr(told, known).statistic)
    assert found.kendall == pytest.approx(kendalltau(told, known).statistic)


def test_two_rows_or_rows_that_are_all_alike_have_no_association() -> None:
    assert association([row("a", 1, 0.5), row("b", 2, 0.6)], "x") == (2, None, None)
    assert association([row(name, 1, acc) for name, acc in (("a", 0.1), ("b", 0.2), ("c", 0.3))], "x") == (
        3,
        None,
        None,
    )


def test_the_loss_of_a_choice_is_against_the_best_run_and_ties_cost_their_mean() -> None:
    made = [row("a", 1.0, 0.9), row("b", 2.0, 0.7), row("c", 2.0, 0.8)]
    found = loss_of_choice(made, "x")
    assert found is not None
    assert (found.n, found.chosen) == (3, ("b", "c"))
    assert found.lost == pytest.approx(0.9 - 0.75)
    assert found.blind == pytest.approx(0.9 - 0.8)
    assert best_by(made, "acc") == [0]
    assert loss_of_choice(made[:1], "x") is None
    assert loss_of_choice([*made, row("d", None, 1.0)], "x") is None


def test_the_run_that_agrees_most_is_chosen_and_the_sentence_says_by_how_much(candidates: list[Candidate]) -> None:
    choice = choose(candidates)
    assert (choice.run, choice.answer, choice.criterion) == ("seed 1", "linkage", "seeds")
    agreed = sorted(r["seeds"] for r in selected(choice.rows))
    words = f"its seeds is the largest, {agreed[2]:.4f}; the others have {agreed[1]:.4f} to {agreed[0]:.4f}"
    assert choice.because.startswith(words)
    assert choose(candidates, "loss").run == "seed 1"


def test_of_two_runs_the_one_whose_clusters_are_further_apart_is_chosen(candidates: list[Candidate]) -> None:
    choice = choose(candidates[:2])
    gaps = [r["gap"] for r in selected(choice.rows)]
    assert (choice.run, choice.criterion) == (f"seed {int(gaps[1] > gaps[0])}", "gap")


def test_without_an_embedding_three_runs_are_asked_whether_they_agree_and_two_are_refused() -> None:
    bare = [run(f"seed {i}", wrong, i, embedding=None) for i, wrong in enumerate((0.6, 0.3, 0.05))]
    assert choose(bare)[:3] == ("seed 2", "linkage", "seeds")
    for by in (None, "seeds"):
        with pytest.raises(ConfigError, match="there are 2 runs, and of two each agrees the same"):
            choose(bare[:2], by)
    with pytest.raises(ConfigError, match="seed 0 has no inside; choose by another criterion"):
        choose(bare, "inside")


def test_runs_that_tie_are_told(candidates: list[Candidate]) -> None:
    twins = [run(name, 0.2, 0) for name in ("a", "b")]
    assert "all 2 have the same gap" in choose(twins).because
    assert ", shared with b; the others have" in choose([*twins, run("c", 0.7, 3)]).because
    with pytest.raises(ConfigError, match="the criterion 'best' is not known; expected one of seeds, answers"):
        choose(candidates, "best")


def write_seed(folder: Path, seed: int, candidate: Candidate) -> None:
    record = {
        "format": "coterie seed", "format_version": 1, "chosen": candidate.chosen, "answers": candidate.scores,
        "parameters": {"n_clusters": 3}, "data": {"n_classes": 3}, "last_epoch": {"loss": candidate.loss},
    }  # fmt: skip
    (folder / f"seed-{seed}.json").write_text(json.dumps(record))
    np.savez(folder / f"seed-{seed}.npz", embedding=candidate.embedding, **candidate.answers)


def test_seeds_are_read_as_reproduce_keeps_them(tmp_path: Path, candidates: list[Candidate]) -> None:
    for seed, candidate in enumerate(candidates):
        write_seed(tmp_path, seed, candidate)
    assert figures(gather([tmp_path])) == figures(candidates)
    (tmp_path / "seed-1.npz").write_bytes(b"torn")
    with pytest.raises(ConfigError, match=r"seed-1\.npz cannot be read"):
        candidates_in(tmp_path)


def write_run(folder: Path, candidate: Candidate, n_clusters: int | str = 3) -> Path:
    """The run folder that ``coterie cluster`` would write of it, as far as a choice looks."""
    folder.mkdir()
    np.save(folder / "embedding.npy", candidate.embedding)
    np.savez(folder / "answers.npz", **candidate.answers)
    (folder / "metrics.jsonl").write_text(json.dumps({"loss": 9.0}) + "\n" + json.dumps({"loss": candidate.loss}))
    info = {"format": "coterie run", "format_version": 1, "status": "complete", "images": {"n": 120}}
    info |= {"config": {"n_clusters": n_clusters}, "answers": {"chosen": candidate.chosen}}
    (folder / "run.json").write_text(json.dumps(info))
    lines = [f"{n}.png,{label},1.0" for n, label in enumerate(candidate.answers[candidate.chosen])]
    (folder / "assignments.csv").write_text("\n".join(["path,label,confidence", *lines, ""]))
    return folder


def test_runs_of_a_method_with_several_answers_have_them_all(tmp_path: Path, candidates: list[Candidate]) -> None:
    paths = [write_run(tmp_path / str(i), candidate) for i, candidate in enumerate(candidates)]
    found, expected = choose(gather(paths)), choose(candidates)
    assert (found.run, found.answer, found.because) == (str(paths[1]), "linkage", expected.because)
    for criterion in ("answers", "loss"):
        assert [row[criterion] for row in found.rows] == [row[criterion] for row in expected.rows]
    other = (paths[2] / "assignments.csv").read_text().replace("0.png", "x.png", 1)
    (paths[2] / "assignments.csv").write_text(other)
    with pytest.raises(ConfigError, match="is not of the same images in the same order as"):
        gather(paths)


def test_a_run_that_left_a_group_empty_is_compared_and_pays_for_it(tmp_path: Path) -> None:
    two = np.minimum(TRUTH, 1)
    collapsed = run("b", 0.0, 0, answers={"head": two, "linkage": two})
    paths = [write_run(tmp_path / "a", run("a", 0.0, 0)), write_run(tmp_path / "b", collapsed)]
    whole, lost = selected(choose(gather(paths), "inside").rows)
    assert whole["inside"] > 0.9
    assert lost["inside"] < 0.7
    assert lost["entropy"] < whole["entropy"]


def test_runs_that_chose_their_number_must_have_come_to_the_same(tmp_path: Path) -> None:
    two = np.minimum(TRUTH, 1)
    fewer = run("b", 0.0, 0, answers={"head": two, "linkage": two})
    paths = [write_run(tmp_path / "a", run("a", 0.0, 0), "auto"), write_run(tmp_path / "b", fewer, "auto")]
    with pytest.raises(ConfigError, match=r"different numbers of groups \(2, 3\)"):
        gather(paths)


def test_agreement_under_changes_is_measured_of_a_run_folder_where_it_can_be(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / name, run(name, 0.2, 0)) for name in ("a", "b")]
    told = dict(zip(map(str, paths), (0.5, 0.75), strict=True))
    choice = choose(gather(paths, lambda opened: told[str(opened.path)]), "agreement")
    assert (choice.run, choice.criterion) == (str(paths[1]), "agreement")
    with pytest.raises(ConfigError, match="b has no agreement; choose by another criterion"):
        choose(gather(paths, lambda opened: None if opened.path.name == "b" else 0.5), "agreement")


def test_what_holds_no_runs_or_one_is_refused(tmp_path: Path, candidates: list[Candidate]) -> None:
    with pytest.raises(ConfigError, match=r"holds no seed-\*\.json"):
        candidates_in(tmp_path)
    with pytest.raises(RunFolderError, match="is not a run of coterie"):
        gather([tmp_path])
    write_seed(tmp_path, 0, candidates[0])
    with pytest.raises(ConfigError, match="there is one run"):
        gather([tmp_path])
