"""Measures again what a CPU can: every recipe, then every study of the methods, into a folder of its own.

    python benchmarks/overnight.py --data ../shared/data --out runs/overnight [--plan] [--only jule_studies]

``overnight.txt`` beside this file has the commands. All of them take some nights: a step that is done is not run again,
and one that was stopped goes on where its script can. What a step says is in OUT/log; one that fails does not end the
night, is tried again by the next call, and makes the exit code 1. OUT/results has each JSON where docs/results has it;
one that is to take the place of a committed file is copied by hand, and `make results` writes the pages.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

PLAN = Path(__file__).with_name("overnight.txt")


class Step(NamedTuple):
    """A line of the plan, and what to call its log: the script, and a few figures that change with the line."""

    line: str
    name: str


def steps(text: str, only: str = "") -> Iterator[Step]:
    """The commands of the plan ``text``, those that have the word ``only`` in them."""
    for line in text.splitlines():
        if line and not line.startswith("#") and only in line:
            script = Path(line.split()[1]).stem
            yield Step(line, f"{script}-{sha256(line.encode()).hexdigest()[:8]}")


def words_of(line: str, folders: dict[str, str]) -> list[str]:
    """The words of a command with its ``folders`` filled in; names with a star are those of the folders that are there.

    It is run by the Python that runs this script, from the environment of which ``coterie`` is taken too.
    """
    words = [word.format(**folders) for word in shlex.split(line)]
    found = [name for word in words for name in (_folders(word) if "*" in word else [word])]
    program = ["-m", "coterie.cli.main"] if found[0] == "coterie" else []
    return [sys.executable, *program, *found[1:]]


def _folders(pattern: str) -> list[str]:
    folder, _, names = pattern.rpartition("/")
    return sorted(str(found) for found in Path(folder).glob(names) if found.is_dir())


def run(step: Step, folders: dict[str, str], log: Path) -> bool:
    """Whether ``step`` is done, now or before; what it says is added to its log."""
    done = log / f"{step.name}.done"
    if done.exists():
        return True
    with (log / f"{step.name}.log").open("a", encoding="utf-8") as said:
        ended = subprocess.run(words_of(step.line, folders), stdout=said, stderr=subprocess.STDOUT, check=False)
    if ended.returncode == 0:
        done.write_text(step.line + "\n", encoding="utf-8")
    return ended.returncode == 0


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--out", type=Path, default=Path("runs/overnight"))
    parser.add_argument("--only", default="", help="steps that have this word in their command")
    parser.add_argument("--plan", action="store_true", help="show what would run, and run nothing")
    asked = parser.parse_args(words)
    folders = {"data": str(asked.data)} | {name: str(asked.out / name) for name in ("recipes", "work", "results")}
    log, failed = asked.out / "log", 0
    for step in steps(PLAN.read_text(encoding="utf-8"), asked.only):
        print(step.name, step.line.format(**folders), sep="  ", flush=True)
        if not asked.plan:
            log.mkdir(parents=True, exist_ok=True)
            good = run(step, folders, log)
            failed += not good
            print("  done" if good else f"  failed: see {log / step.name}.log", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
