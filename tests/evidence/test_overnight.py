import re
import sys
from pathlib import Path

import pytest

from scripts import BENCHMARKS, load_script

overnight = load_script("overnight")
PLAN = overnight.PLAN.read_text(encoding="utf-8")
FOLDERS = {"data": "sets", "recipes": "recipes", "work": "work", "results": "results"}


@pytest.mark.parametrize("step", list(overnight.steps(PLAN)), ids=lambda step: step.name)
def test_every_command_of_the_plan_has_a_script_that_knows_its_options(step: overnight.Step) -> None:
    program, *words = step.line.format(**FOLDERS).split()
    if program == "coterie":
        assert words[:2] == ["campaign", "overnight"]
        return
    source = Path(BENCHMARKS.parent, words[0]).read_text(encoding="utf-8")
    options = re.findall(r"--[a-z0-9-]+", " ".join(words))
    assert options
    assert [option for option in options if f'"{option}"' not in source] == []


def test_every_result_of_the_plan_goes_where_the_pages_of_the_docs_look_for_it() -> None:
    files = set(re.findall(r"\{results\}/(\S+)", PLAN))
    assert {name for name in files if not (BENCHMARKS.parent / "docs/results" / name).is_file()} == set()


def test_a_step_that_is_done_is_not_run_again_and_one_that_failed_is(tmp_path: Path) -> None:
    script = tmp_path / "count.py"
    script.write_text("import sys; print('ran'); sys.exit(int(sys.argv[1]))")
    good, bad = (overnight.Step(f"python {script} {code}", f"count-{code}") for code in (0, 3))
    assert [overnight.run(good, {}, tmp_path) for _ in range(2)] == [True, True]
    assert [overnight.run(bad, {}, tmp_path) for _ in range(2)] == [False, False]
    assert (tmp_path / "count-0.log").read_text() == "ran\n"
    assert (tmp_path / "count-3.log").read_text() == "ran\nran\n"


def test_words_with_a_star_are_the_folders_that_are_there_and_the_python_is_ours(tmp_path: Path) -> None:
    for name in ("b-usps", "a-usps"):
        (tmp_path / name).mkdir()
    (tmp_path / "c-usps").write_text("a file")
    words = overnight.words_of("python show.py {recipes}/*-usps --all", {"recipes": str(tmp_path)})
    assert words == [sys.executable, "show.py", str(tmp_path / "a-usps"), str(tmp_path / "b-usps"), "--all"]
    assert overnight.words_of("coterie campaign x", {})[:3] == [sys.executable, "-m", "coterie.cli.main"]


def test_the_plan_can_be_looked_at_without_running_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        overnight.main(["--plan", "--out", str(tmp_path / "night"), "--only", "alpha"])
    assert not ended.value.code
    assert "jule_studies.py alpha" in capsys.readouterr().out
    assert not (tmp_path / "night").exists()
