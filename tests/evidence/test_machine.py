"""What a number depends on: read from this machine, and absent where nothing can be known."""

import subprocess
from pathlib import Path

import pytest

from coterie.evidence import machine


def test_the_machine_is_named_without_its_name_in_the_network() -> None:
    import platform

    found = machine.machine()
    assert found["cores"] >= 1
    assert found["cpu"]
    assert platform.node() not in str(found)


def test_the_commit_is_that_of_this_checkout() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("these tests do not run in a checkout")
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    assert (machine.commit() or "").removesuffix("+") == done.stdout.strip()


def test_a_checkout_around_an_installed_coterie_is_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    installed = tmp_path / "venv" / "coterie"
    installed.mkdir(parents=True)
    monkeypatch.setattr(machine, "SOURCE", installed)
    assert machine.commit() is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert machine.commit() is None


def test_a_library_that_is_not_installed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LIBRARIES", ("numpy", "no-such-library"))
    assert machine.versions()["no-such-library"] == "unknown"


def test_memory_is_in_gigabytes() -> None:
    peak = machine.peak_memory()["peak_memory_gb"]
    assert peak is None or 0.01 < peak < 1000
