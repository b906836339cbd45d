"""Summaries, against values worked out by hand."""

from coterie.evidence.recipe import Recipe, parse_recipe, shipped_recipes
from coterie.evidence.summary import is_of_another, spread, summarise, table
from coterie.methods.run_names import head_of, linkage_of
from coterie.report.training_words import OF_OTHERS

NOTHING = {"kind": "GraphWarning", "message": "at /home/somebody"}


def recipe() -> Recipe:
    return parse_recipe(shipped_recipes()["kmeans-digits"], "kmeans-digits")


def record(seed: int, chosen: str, **accuracies: float) -> dict[str, object]:
    answers = {name: {"n_clusters": 10, "acc": acc, "nmi": acc / 2, "ari": acc / 4} for name, acc in accuracies.items()}
    return {
        "seed": seed, "chosen": chosen, "scores": answers[chosen], "answers": answers, "seconds": 10.0 * (seed + 1),
        "continued": seed == 1, "device": "auto", "last_epoch": {"epoch": 9, "loss": 0.5}, "data": {"set": "digits"},
        "peak_memory_gb": 1.5 + seed, "peak_gpu_memory_gb": None, "machine": {"cpu": "a"}, "versions": {"numpy": "2"},
        "commit": "abc", "created": f"2026-01-0{seed + 1}T10:00:00+00:00", "warnings": [NOTHING, NOTHING],
    }  # fmt: skip


def test_the_spread_of_four_numbers_is_that_worked_out_by_hand() -> None:
    # mean 5; deviations -3, -1, 1, 3; squares sum to 20; 20 / 3 = 6.6667
    assert spread([4.0, 8.0, 2.0, 6.0]) == {"min": 2, "median": 5, "max": 8, "mean": 5, "sd": 2.581989}


def test_the_median_of_an_odd_number_is_the_middle_one() -> None:
    assert spread([0.9, 0.1, 0.2])["median"] == 0.2


def test_one_number_has_no_sd() -> None:
    assert spread([0.25]) == {"min": 0.25, "median": 0.25, "max": 0.25, "mean": 0.25, "sd": None}


def test_each_answer_is_summed_up_and_so_is_what_the_runs_chose() -> None:
    records = [record(0, "rc", sf=0.2, rc=0.4), record(1, "sf", sf=0.8, rc=0.6), record(2, "rc", rc=0.5)]
    summary = summarise(recipe(), records)
    assert summary["chosen"] == {"rc": 2, "sf": 1}
    assert summary["selected"]["n"] == 3
    assert summary["selected"]["acc"] == spread([0.4, 0.8, 0.5])
    assert summary["selected"]["nmi"] == spread([0.2, 0.4, 0.25])
    assert summary["answers"]["sf"] == {
        "n": 2, "acc": spread([0.2, 0.8]), "nmi": spread([0.1, 0.4]), "ari": spread([0.05, 0.2]),
    }  # fmt: skip
    assert summary["answers"]["rc"]["ari"] == spread([0.1, 0.15, 0.125])


def test_the_trainings_of_all_runs_are_summed_up_and_shown_together() -> None:
    one = {"head": 0.9, "linkage": 1.0, "run-1": 0.3, "run-3": 0.6}
    other = {"head": 0.5, "linkage": 0.5, "run-2": 0.7, "run-3": 0.1, "last": 0.0, "linkage-of-run-2": 0.9}
    summary = summarise(recipe(), [record(0, "head", **one), record(1, "head", **other)])
    assert summary["each_training"] == {
        "n": 6, "acc": spread([0.9, 0.3, 0.6, 0.5, 0.7, 0.1]), "nmi": spread([0.45, 0.15, 0.3, 0.25, 0.35, 0.05]),
        "ari": spread([0.225, 0.075, 0.15, 0.125, 0.175, 0.025]),
    }  # fmt: skip
    assert [line[0] for line in table(summary)[1::3]] == ["head *", "linkage", "last", "each training"]
    assert table(summary)[-3] == ["each training", "ACC", "6", "0.100", "0.550", "0.900", "0.517", "0.286"]


def test_where_each_run_is_one_training_nothing_is_said_of_trainings() -> None:
    assert "each_training" not in summarise(recipe(), [record(0, "head", head=0.5, linkage=0.6)])


def test_a_summary_tells_time_memory_machine_versions_commit_and_each_run() -> None:
    summary = summarise(recipe(), [record(0, "a", a=1.0), record(1, "a", a=0.5)])
    assert summary["seconds"] == spread([10, 20])
    assert summary["peak_memory_gb"] == 2.5
    assert summary["peak_gpu_memory_gb"] is None
    assert (summary["machines"], summary["versions"], summary["commits"]) == ([{"cpu": "a"}], [{"numpy": "2"}], ["abc"])
    assert summary["dates"] == ["2026-01-01", "2026-01-02"]
    assert summary["seeds"] == [0, 1]
    assert [run["continued"] for run in summary["runs"]] == [False, True]
    assert summary["runs"][1]["last_epoch"] == {"epoch": 9, "loss": 0.5}
    assert summary["recipe"]["digest"] == recipe().digest


def test_a_summary_counts_the_runs_a_warning_was_given_in_and_leaves_out_its_text() -> None:
    summary = summarise(recipe(), [record(0, "a", a=1.0), record(1, "a", a=0.5)])
    assert summary["warnings"] == {"GraphWarning": 2}
    assert "somebody" not in str(summary)


def test_the_table_marks_the_answer_that_was_chosen() -> None:
    lines = table(summarise(recipe(), [record(0, "rc", sf=0.25, rc=0.5), record(1, "rc", sf=0.75, rc=1.0)]))
    assert lines[0] == ["answer", "score", "n", "min", "median", "max", "mean", "sd"]
    assert [line[0] for line in lines[1:]] == ["sf", "", "", "rc *", "", ""]
    assert lines[1] == ["sf", "ACC", "2", "0.250", "0.500", "0.750", "0.500", "0.354"]
    assert lines[5] == ["", "NMI", "2", "0.250", "0.375", "0.500", "0.375", "0.177"]


def test_where_runs_chose_differently_what_they_chose_has_lines_of_its_own() -> None:
    lines = table(summarise(recipe(), [record(0, "rc", sf=0.25, rc=0.5), record(1, "sf", sf=0.75, rc=1.0)]))
    assert [line[0] for line in lines[1::3]] == ["selected *", "sf", "rc"]
    assert lines[1][3:6] == ["0.500", "0.625", "0.750"]


def test_one_run_has_a_dash_for_its_sd() -> None:
    assert table(summarise(recipe(), [record(0, "a", a=1.0)]))[1][-1] == "-"


def test_the_answers_of_other_trainings_are_known_by_the_names_that_methods_give_them() -> None:
    assert all(is_of_another(name) for name in (head_of(1), linkage_of(1)))
    assert not any(is_of_another(name) for name in ("head", "linkage", "last", "student"))
    assert [head_of(0).removesuffix("1"), linkage_of(0).removesuffix("1")] == list(OF_OTHERS)
