"""What every other method finds on Artifact-MNIST, where one pixel is the class: docs/results/udc/rivals.json.

    python benchmarks/udc_rivals.py --data ../shared/data [--set artifact-mnist-0] [--size 4] [--methods gdl tcc ...]
    python benchmarks/render_udc.py

Defaults but for the epochs, which are fewer; three clusters. The networks of JULE and others look at more than 4 x 4
pixels: ``--size`` stretches to the pixels at which they can be asked, and a method that refuses a size says so. A row
that is there is not measured again. Classes score and do nothing else; chance is a third, and a little more for the
best one-to-one naming of chance.
"""

import argparse
from pathlib import Path

from study_rows import Row, keep, missing, read_rows, trained_row

from coterie.errors import CoterieError
from coterie.evidence.datasets import load
from coterie.evidence.recipe import Recipe

SET = "artifact-mnist-test"
SHORT: Row = {"epochs": 8, "precision": "bf16"}
METHODS: dict[str, Row] = {
    "kmeans": {}, "gdl": {}, "ac-link": {}, "sc-ls": {}, "nmf-lp": {"features": "unit-pixels"},
    "dac": SHORT, "dccm": SHORT, "gatcluster": SHORT, "jule": {}, "tcc": SHORT,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--set", default=SET, help="a set in which a pixel is the class")
    parser.add_argument("--size", type=int, default=4, help="pixels a side")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, default=Path("runs/udc-rivals"), help="folder for checkpoints")
    parser.add_argument("--out", type=Path, default=Path("docs/results/udc/rivals.json"))
    asked = parser.parse_args()
    data = load(asked.set, asked.data, (asked.size, asked.size))
    rows = read_rows(asked.out)
    wanted = [
        {"set": asked.set, "size": asked.size, "method": name, "parameters": METHODS[name]} for name in asked.methods
    ]
    for row in missing(wanted, rows):
        recipe = Recipe("own", "", "", asked.set, row["method"], (asked.size, asked.size), row["parameters"])
        work = asked.work / f"{row['method']}-{recipe.digest}"
        try:
            rows.append(row | trained_row(recipe, data, 0, work, asked.device))
        except CoterieError as refused:
            print(row["method"], "refused:", refused, flush=True)
            continue
        keep(asked.out, rows)
        print(row["method"], rows[-1]["answers"], flush=True)


if __name__ == "__main__":
    main()
