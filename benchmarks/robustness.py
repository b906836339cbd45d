"""The linkage on what breaks linkages: long tails of classes, 2 to 2,000 clusters, thousands of exact copies.

    python benchmarks/robustness.py --data ../shared/data --out docs/results/robustness.json [--again]

Finished rows are kept, so the script can be stopped and started again; --again measures everything anew.

"published" is n_neighbors=20, n_components=None, stop="plain", refine=0, "default" the constructor's defaults; both are
told the number of clusters. Tails: class sizes fall geometrically to ``ratio`` of the largest, over the classes in an
order drawn with the seed. Copies: some images of MNIST-test stand in the set thousands of times, or all stand in it one
to six times. Scores of copies count each image once.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from provenance import provenance

SETTINGS = {
    "published": {"n_neighbors": 20, "n_components": None, "stop": "plain", "refine": 0},
    "default": {},
}
SEEDS = (0, 1, 2)
NUMBERS = (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
Row = dict[str, object]
Make = Callable[[], Row]
CASE = ("part", "set", "ratio", "seed", "case", "k", "settings")  # what tells rows apart


def long_tail(classes: np.ndarray, largest: int, ratio: float, seed: int) -> np.ndarray:
    """Indices of a subset whose classes hold ``largest`` down to ``ratio * largest`` images."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(int(classes.max()) + 1)
    sizes = np.round(largest * ratio ** (np.arange(len(names)) / (len(names) - 1))).astype(int)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(classes == c))[:m] for c, m in zip(names, sizes, strict=True)]
    )


def fitted(images: np.ndarray, k: int, settings: str) -> tuple[Row, np.ndarray]:
    """What one fit gave, and its labels."""
    import coterie

    model = coterie.GraphDegreeLinkage(k, **SETTINGS[settings])
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        began = time.perf_counter()
        model.fit(images)
        seconds = time.perf_counter() - began
    sizes = np.bincount(model.labels_)
    row: Row = {
        "settings": settings, "n": len(images), "k": k, "found": model.n_clusters_, "seconds": round(seconds, 2),
        "largest": int(sizes[0]), "smallest": int(sizes[-1]),
        "warnings": [f"{w.category.__name__}: {w.message}" for w in given],
    }  # fmt: skip
    return row, model.labels_


def scores(classes: np.ndarray, labels: np.ndarray) -> Row:
    from coterie.metrics import accuracy, ari, nmi, purity

    measures = {"acc": accuracy, "nmi": nmi, "ari": ari, "purity": purity}
    return {name: round(float(measure(classes, labels)), 4) for name, measure in measures.items()}


def tails(data: Path) -> Iterator[tuple[Row, Make]]:
    cases = [("mnist", 6000, 0.1), ("mnist", 6000, 0.02), ("cmu_pie", 42, 0.3), ("cmu_pie", 42, 0.1)]
    for name, largest, ratio in cases:
        images, classes = read(data, name)
        k = int(classes.max()) + 1
        for seed in SEEDS:
            some = long_tail(classes, largest, ratio, seed)
            for settings in SETTINGS:
                case: Row = {"part": "tail", "set": name, "ratio": ratio, "seed": seed, "k": k, "settings": settings}
                yield case, partial(scored, images[some], classes[some], k, settings)


def numbers(data: Path) -> Iterator[tuple[Row, Make]]:
    images, classes = read(data, "mnist", test_only=True)
    for k in NUMBERS:
        for settings in SETTINGS:
            case: Row = {"part": "numbers", "set": "mnist-test", "k": k, "settings": settings}
            yield case, partial(scored, images, classes, k, settings)


def copies(data: Path) -> Iterator[tuple[Row, Make]]:
    images, classes = read(data, "mnist", test_only=True)
    rng = np.random.default_rng(0)
    cases = {
        "3 images 5,000 times": np.where(np.isin(np.arange(len(images)), rng.choice(len(images), 3, False)), 5000, 1),
        "all 1 to 6 times": rng.integers(1, 7, len(images)),
        "all 6 times": np.full(len(images), 6),
    }
    for name, times in cases.items():
        for settings in SETTINGS:
            case: Row = {"part": "copies", "set": "mnist-test", "case": name, "k": 10, "settings": settings}
            yield case, partial(scored_copies, images, classes, times, settings)


def scored(images: np.ndarray, classes: np.ndarray, k: int, settings: str) -> Row:
    row, labels = fitted(images, k, settings)
    return row | scores(classes, labels)


def scored_copies(images: np.ndarray, classes: np.ndarray, times: np.ndarray, settings: str) -> Row:
    each = np.repeat(np.arange(len(images)), times)
    first = np.concatenate([[0], np.cumsum(times)[:-1]])
    row, labels = fitted(images[each], 10, settings)
    together = float((labels == labels[first][each]).mean())
    return row | {"with_the_first_copy": round(together, 4)} | scores(classes, labels[first])


def read(data: Path, name: str, *, test_only: bool = False) -> tuple[np.ndarray, np.ndarray]:
    archive = np.load(data / f"{name}.npz")
    images, classes = archive["images"], archive["labels"]
    return (images[archive["split"] == 1], classes[archive["split"] == 1]) if test_only else (images, classes)


def line(row: Row) -> str:
    what = " ".join(str(row[key]) for key in ("set", "ratio", "seed", "case") if key in row)
    measured = " ".join(f"{name} {row[name]:.3f}" for name in ("acc", "nmi", "ari", "purity"))
    kinds = ", ".join(sorted({str(sentence).split(":")[0] for sentence in row["warnings"]})) or "-"  # type: ignore[attr-defined]
    sizes = f"{row['largest']}..{row['smallest']}"
    return f"{what:34} {row['settings']:9} k {row['found']}/{row['k']} {measured} {sizes} {row['seconds']} s {kinds}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/robustness.json"))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--parts", nargs="*", default=["tails", "numbers", "copies"])
    arguments = parser.parse_args()
    makers = {"tails": tails, "numbers": numbers, "copies": copies}
    fitted(np.random.default_rng(0).integers(0, 256, (300, 8, 8), np.uint8), 3, "default")  # compiles
    rows: list[Row] = [] if arguments.again or not arguments.out.exists() else old_rows(arguments.out)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts:
        for case, measure in makers[part](arguments.data):
            if not any(same(case, row) for row in rows):
                origin = provenance()  # now, as the checkout may move on meanwhile
                rows.append(case | measure() | origin)
                print(line(rows[-1]), flush=True)
                arguments.out.write_text(json.dumps({"seeds": list(SEEDS), "rows": rows}, indent=1) + "\n")


def old_rows(path: Path) -> list[Row]:
    rows: list[Row] = json.loads(path.read_text())["rows"]
    return [row for row in rows if "commit" in row]


def same(case: Row, row: Row) -> bool:
    return all(case.get(key) == row.get(key) for key in CASE)


if __name__ == "__main__":
    main()
