"""Which criterion predicts the right seed: every criterion of every seed and answer, beside its ACC, NMI and ARI.

    python benchmarks/criteria.py FOLDER...          # what `coterie reproduce` wrote -> docs/results/criteria.json
    python benchmarks/render_criteria.py             # -> docs/results/criteria.md

Nothing is trained. A folder whose seeds are all in the JSON already is not computed again; one with a new seed is, as
the agreement of every seed with the others changes. A seed alone has no rival and is left out.
"""

import argparse
from pathlib import Path

from provenance import provenance
from study_rows import Row, keep, read_rows

from coterie.evidence.criteria import candidates_in, figures
from coterie.evidence.reproduce import records_in

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/criteria.json"
DIGITS = 6


def rows_of(folder: Path) -> list[Row]:
    """A row for each seed and answer in ``folder``."""
    records = records_in(folder)
    about = provenance() | {"command": f"python benchmarks/criteria.py {folder.name}"}
    found = []
    for row in figures(candidates_in(folder)):
        record = records[int(row.pop("run").removeprefix("seed "))]
        recipe, data = record["recipe"], record["data"]
        found.append({
            "recipe": recipe["name"], "digest": recipe["digest"], "method": recipe["method"]["name"],
            "set": data["set"], "n": data["shape"][0], "k": data["n_classes"], "seed": record["seed"],
            **{name: round(value, DIGITS) if isinstance(value, float) else value for name, value in row.items()},
            **about,
        })  # fmt: skip
    return found


def seeds_of(rows: list[Row], name: str, digest: str) -> set[int]:
    return {row["seed"] for row in rows if (row["recipe"], row["digest"]) == (name, digest)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    for folder in arguments.folders:
        rows, records = read_rows(arguments.results), records_in(folder)
        if len(records) < 2:
            print(f"{folder.name}: {len(records)} seed, left out")
            continue
        recipe = next(iter(records.values()))["recipe"]
        if seeds_of(rows, recipe["name"], recipe["digest"]) == set(records):
            print(f"{folder.name}: was there")
            continue
        others = [row for row in rows if row["recipe"] != recipe["name"]]
        keep(arguments.results, sorted([*others, *rows_of(folder)], key=lambda row: row["recipe"]))
        print(f"{folder.name}: {len(records)} seeds", flush=True)


if __name__ == "__main__":
    main()
