"""Every generated page of the docs, the tables of README.md and docs/reproduce.md, and all plots, from committed JSON.

    make results

Nothing is measured. Each render_*.py beside this file is run; a page that nothing has changed comes out as it was.
"""

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARGUMENTS = {"render_results": ["--readme"]}


def scripts() -> list[str]:
    """The names of the scripts, in the order of the alphabet."""
    return sorted(path.stem for path in HERE.glob("render_*.py") if path != Path(__file__).resolve())


def main() -> None:
    for name in scripts():
        sys.argv = [f"{name}.py", *ARGUMENTS.get(name, [])]
        import_module(name).main()
        print(name, flush=True)


if __name__ == "__main__":
    main()
