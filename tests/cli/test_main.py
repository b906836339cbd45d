"""The program itself: help, version, what an error looks like, and exit codes, through the real entry point."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done, python_process, run_process

Command = Callable[..., Done]
COMMANDS = ["cluster", "predict", "evaluate", "view", "export", "check", "methods", "reproduce"]
HEAVY = ["torch", "numpy", "sklearn", "scipy", "numba", "tqdm", "jinja2", "rich"]


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\nsys.argv = ['coterie', '--help']\n"
        "from coterie.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n"
        "    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)"
    )
    process = python_process("-c", code)
    out, err = (stream.decode() for stream in process.communicate(timeout=60))
    exit_code, modules = json.loads(err)
    assert exit_code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.skipif(sys.platform == "win32", reason="says nothing about the time of its children")
def test_help_answers_at_once() -> None:
    """In seconds of the processor, since other work may share the machine."""
    before = os.times()
    assert run_process("--help").code == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_without_any_work(coterie: Command, command: str, option: str) -> None:
    done = coterie(command, option)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: coterie {command} ")


def test_no_command_shows_the_help_and_is_wrong_usage(coterie: Command) -> None:
    done = coterie()
    assert done.code == 2
    assert "Commands:" in done.out + done.err


def test_the_version_is_that_of_the_package(coterie: Command) -> None:
    from coterie import __version__

    assert coterie("--version") == (0, f"coterie {__version__}\n", "")


def test_the_installed_program_is_this_one() -> None:
    program = Path(sys.executable).parent / "coterie"
    if not program.exists():
        pytest.skip("coterie is not installed beside this Python")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == run_process("--version").out


def test_methods_are_listed_with_their_parameters(coterie: Command) -> None:
    done = coterie("methods")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("gdl: Exact graph degree linkage")
    assert "kmeans: k-means (Lloyd) with n_init starts from k-means++." in lines
    assert any(line.startswith("    ") and "n_neighbors=" in line for line in lines)


@pytest.mark.parametrize("arguments", [("regroup",), ("cluster",), ("cluster", "a", "b"), ("cluster", "a", "--fast")])
def test_wrong_usage_exits_with_2_and_points_to_the_help(coterie: Command, arguments: tuple[str, ...]) -> None:
    done = coterie(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "-h' for help" in done.err


def test_an_error_is_one_line_and_debug_shows_the_traceback() -> None:
    plain, debug = run_process("check", "nowhere"), run_process("--debug", "check", "nowhere")
    assert plain.code == 2
    assert plain.error == "nowhere does not exist: give a folder, archive, manifest, array or image"
    assert debug.code == 1
    assert debug.err.startswith("Traceback (most recent call last):")
    assert "SourceError: nowhere does not exist" in debug.err


def test_an_unexpected_error_is_one_line_too(coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the\nunforeseen")

    monkeypatch.setattr("coterie.images.store.open_images", fault)
    done = coterie("check", photos)
    assert done.code == 1
    assert done.error == (
        r"unexpected RuntimeError: the\nunforeseen; `coterie --debug ...` shows where, please report it"
    )
    with pytest.raises(RuntimeError, match="unforeseen"):
        coterie("--debug", "check", photos)


def test_running_out_of_memory_is_one_line(coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr("coterie.images.store.open_images", exhausted)
    done = coterie("cluster", photos)
    assert (done.code, done.error) == (
        1, "out of memory; use a smaller --size, fewer images, or a machine with more",
    )  # fmt: skip
    assert list(Path().iterdir()) == []


def test_the_demo_writes_the_digits_and_their_classes(coterie: Command) -> None:
    from coterie.cli import demo

    digits = demo.write_digits(Path("demo"))
    assert len(list(Path("demo/digits").glob("*.png"))) == 1797
    assert digits.read_text().splitlines()[:2] == ["path,class", "digit-0000.png,0"]
