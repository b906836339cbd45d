"""What a small network reads from each method's features: DCCM's probe (dccm.md E4) on every run there is.

    python benchmarks/probe_rows.py reproduced/dac-usps reproduced/dccm-usps ... --data ../shared/data
    python benchmarks/render_probe.py

The features are the embeddings that `coterie reproduce` kept; nothing is trained but the small network. Every method
saw all images, without classes; the small network learns classes on the training part of the set, or on four fifths of
one that comes in one part, and is scored on the rest. The pixels of each set stand beside. Rows that are there stay.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from provenance import provenance
from study_rows import Learned, Row, keep, learned, missing, read_rows, training_part

from coterie.evidence.datasets import Dataset
from coterie.evidence.probe import ProbeSettings, probe

OUT = Path("docs/results/probe.json")
PIXELS = "pixels"


def wanted_of(run: Learned) -> Iterator[tuple[Row, np.ndarray]]:
    """What is asked of a run, and the features (n, ...) that it is asked of: the run's own, and once the pixels."""
    yield {"set": run.data.name, "features": PIXELS, "digest": "", "seed": 0}, run.data.images / np.float32(255)
    yield {"set": run.data.name, "features": run.recipe, "digest": run.digest, "seed": run.seed}, run.embedding


def row_of(setting: Row, features: np.ndarray, data: Dataset, settings: ProbeSettings) -> Row:
    train = training_part(data)
    found = probe(features, data.classes, train, settings)
    about = {"n_train": int(train.sum()), "n_test": int((~train).sum()), "n_features": int(features[0].size)}
    told = {"accuracy": round(found.accuracy, 4), "train_accuracy": round(found.train_accuracy, 4)}
    return setting | about | told | {"epochs": settings.epochs} | provenance()


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of `coterie reproduce`")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--epochs", type=int, default=ProbeSettings().epochs)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args(words)
    rows, settings = read_rows(asked.out), ProbeSettings(epochs=asked.epochs)
    for run in (run for folder in asked.folders for run in learned(folder, asked.data)):
        for setting, features in wanted_of(run):
            if list(missing([setting], rows)):
                rows.append(row_of(setting, features, run.data, settings))
                keep(asked.out, rows)
                print(setting["set"], setting["features"], setting["seed"], rows[-1]["accuracy"], flush=True)


if __name__ == "__main__":
    main()
