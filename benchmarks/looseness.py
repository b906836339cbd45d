"""From when on clusters are called hardly apart: the mean share of a cluster's edges that stays inside it, on points
without any groups, on groups that overlap more and more, and on the image sets of docs/results/automatic.json.

    python benchmarks/looseness.py --out docs/results/looseness.json

The threshold is ``LOOSE`` of coterie.graphs.trust. Points without groups: one Gaussian and one uniform cube, in 2 to
50 dimensions. Overlapping groups: k Gaussians whose centres lie ``apart`` standard deviations from each other; ARI says
whether there was anything to find.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from provenance import provenance

SEEDS = (0, 1, 2)
Row = dict[str, object]


def without_groups() -> Iterator[Row]:
    for shape in ("gaussian", "cube"):
        for d in (2, 8, 20, 50):
            for n in (1_000, 4_000, 16_000):
                for k in (2, 10, 50):
                    for seed in SEEDS if n < 16_000 else SEEDS[:1]:
                        rng = np.random.default_rng(seed)
                        points = rng.normal(size=(n, d)) if shape == "gaussian" else rng.random((n, d))
                        yield {"shape": shape, "d": d, "n": n, "k": k, "seed": seed} | inside(points, k)


def overlapping() -> Iterator[Row]:
    from coterie.metrics import ari

    for apart in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        for k in (5, 20):
            for seed in SEEDS:
                rng = np.random.default_rng(seed)
                classes = np.repeat(np.arange(k), 200)
                # the corners of a simplex are all equally far from each other
                points = (apart / np.sqrt(2) * np.eye(k))[classes] + rng.normal(size=(len(classes), k))
                row = inside(points, k)
                score = round(float(ari(classes, np.array(row.pop("labels")))), 3)
                yield {"shape": "groups", "apart": apart, "k": k, "seed": seed, "ari": score} | row


def inside(points: np.ndarray, k: int) -> Row:
    from coterie.graphs.grouping import LinkageSettings, group_features

    grouping = group_features(points.astype(np.float32), LinkageSettings(n_clusters=k))
    assert grouping.stop is not None
    return {"inside": round(grouping.stop.inside, 4), "labels": grouping.labels.tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/results/looseness.json"))
    arguments = parser.parse_args()
    from coterie.graphs.trust import LOOSE

    result = provenance() | {"threshold": LOOSE, "seeds": list(SEEDS), "rows": []}
    for row in (*without_groups(), *overlapping()):
        row.pop("labels", None)
        result["rows"].append(row)  # type: ignore[union-attr,attr-defined]
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    none = [float(str(row["inside"])) for row in result["rows"] if row["shape"] != "groups"]  # type: ignore[union-attr,attr-defined]
    print(f"without groups: {min(none):.3f} to {max(none):.3f}; the threshold is {LOOSE}")


if __name__ == "__main__":
    main()
