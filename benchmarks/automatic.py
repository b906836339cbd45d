"""How far the settings and the number of clusters that nobody gave are from the best there were, and from the truth.

    python benchmarks/automatic.py --data ../shared/data --out docs/results/automatic.json [--sets usps coil20]

The features are the default ones (64 principal components of large sets). One neighbour search serves all of a set.
"grid": K given, every number of neighbours with both scales, the smallest size left to the rule; the best of it by ACC
is what an oracle that knows the classes would have picked. "default": K given, nothing else. "chosen": nothing given.
Only scores are measured. Finished sets are kept, so the script can be stopped and started again.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from linkage_accuracy import SETS, images_of
from provenance import provenance

GRID = (5, 7, 10, 14, 20, 28, 40, 60, 100)
SCALES = ("local", "global")
Row = dict[str, object]


def features_of(name: str, data: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """(features (n, d) as the linkage searches them, classes (n,), what they are)."""
    import coterie
    from coterie.graphs.reduce import components_for, principal_axes, project
    from coterie.images.features import make_extractor

    with tempfile.TemporaryDirectory() as folder:
        source, classes = images_of(name, data, Path(folder))
        store = coterie.open_images(source, cache=Path(folder) / "cache")
        extractor = make_extractor("auto", store)
        features = extractor.fit_transform(store)
    p = components_for(*features.shape)
    what = extractor.name if p is None else f"{extractor.name}, {p} components"
    return features if p is None else project(features, *principal_axes(features, p)), classes, what


def run_set(name: str, data: Path) -> Row:
    from coterie.graphs.grouping import LinkageSettings, group_neighbors, neighbors_for
    from coterie.graphs.knn import nearest_neighbors
    from coterie.graphs.trust import reservations

    features, classes, what = features_of(name, data)
    n, k = len(classes), int(classes.max()) + 1
    found = nearest_neighbors(features, max(GRID))
    default = LinkageSettings(n_clusters=k)
    grid = []
    for n_neighbors in (few for few in GRID if few < n):
        for scale in SCALES:
            settings = LinkageSettings(n_clusters=k, n_neighbors=n_neighbors, scale=scale)
            scored = scores(classes, group_neighbors(found, features, settings).labels)
            grid.append({"n_neighbors": n_neighbors, "scale": scale} | scored)
    given = group_neighbors(found, features, default)
    assert given.stop is not None
    own = scores(classes, given.labels) | {"inside": round(given.stop.inside, 4)}
    free = group_neighbors(found, features, LinkageSettings())
    choice = free.choice
    assert choice is not None
    numbers = [choice.n_clusters, *(number for number, _ in choice.runners_up)]
    return {
        "set": name, "n": n, "k": k, "features": what,
        "default": {"n_neighbors": neighbors_for(n, k), "scale": "local"} | own,
        "best": max(grid, key=lambda row: row["acc"]), "grid": grid,
        "chosen": {
            "k": choice.n_clusters, "score": round(choice.score, 3), "answers": list(choice.answers),
            "runners_up": [[number, round(score, 3)] for number, score in choice.runners_up],
            "rank_of_true": numbers.index(k) + 1 if k in numbers else None,
            "warnings": [f"{kind.__name__}: {text}" for kind, text in reservations(free, LinkageSettings())],
        } | scores(classes, free.labels),
    }  # fmt: skip


def scores(classes: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    from coterie.metrics import accuracy, nmi

    return {"acc": round(float(accuracy(classes, labels)), 4), "nmi": round(float(nmi(classes, labels)), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/automatic.json"))
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)
    parser.add_argument("--again", action="store_true", help="measure sets that are there already")
    arguments = parser.parse_args()
    done = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"rows": []}
    for name in arguments.sets:
        if not arguments.again and name in {row["set"] for row in done["rows"]}:
            continue
        origin = provenance()  # now, as the checkout may move on meanwhile
        row = run_set(name, arguments.data)
        done["rows"] = [old for old in done["rows"] if old["set"] != name] + [row | origin]
        arguments.out.write_text(json.dumps(done, indent=1) + "\n")
        best, own, chosen = (row[part] for part in ("best", "default", "chosen"))
        print(f"{name:14} default {own} best {best} chosen {chosen['k']} of {row['k']}", flush=True)  # type: ignore[index]


if __name__ == "__main__":
    main()
