"""Exact neighbours three ways, in one run: ours, faiss flat, and a blocked matrix product with torch's top-k.

    python benchmarks/knn_speed.py --data ../shared/data --out docs/results/knn.json

MNIST, k = 26: 70,000 images in 64 principal components, and its 10,000 test images in all 784 pixels. After a warm-up,
the best of three for each; recall of ours and of the product against faiss on 500 rows.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import torch
from provenance import provenance
from sklearn.decomposition import PCA

from coterie.graphs.knn import nearest_neighbors

K = 26


def ours(rows: np.ndarray) -> np.ndarray:
    return nearest_neighbors(rows, K).indices


def faiss_flat(rows: np.ndarray) -> np.ndarray:
    return faiss.knn(rows, rows, K + 1)[1]


def blocked_product(rows: np.ndarray) -> np.ndarray:
    whole = torch.from_numpy(rows)
    half = (whole * whole).sum(1) / 2
    best = [
        torch.addmm(half, whole[i : i + 1024], whole.T, alpha=-1).topk(K + 1, largest=False, sorted=False).indices
        for i in range(0, len(rows), 1024)
    ]
    return torch.cat(best).numpy()


def best_of_three(search: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> tuple[float, np.ndarray]:
    search(rows[:3000])
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        found = search(rows)
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def inputs(data: Path) -> dict[str, np.ndarray]:
    archive = np.load(data / "mnist.npz")
    rows = archive["images"].reshape(70_000, -1).astype(np.float32) / 255
    rows -= rows.mean(0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    reduced = PCA(64, svd_solver="covariance_eigh").fit_transform(rows).astype(np.float32)
    return {"70,000 x 64": reduced, "10,000 x 784": np.ascontiguousarray(rows[archive["split"] == 1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/knn.json"))
    arguments = parser.parse_args()
    rows = []
    for name, features in inputs(arguments.data).items():
        truth = faiss_flat(features)
        for label, search in (("ours", ours), ("faiss flat", faiss_flat), ("blocked product", blocked_product)):
            seconds, found = best_of_three(search, features)
            sample = range(0, len(features), len(features) // 500)
            recall = np.mean([len(np.intersect1d(found[r], truth[r][truth[r] != r][:K])) / K for r in sample])
            rows.append(
                {"input": name, "search": label, "seconds": round(seconds, 2), "recall": round(float(recall), 4)}
            )
            print(rows[-1], flush=True)
    arguments.out.write_text(json.dumps(provenance() | {"k": K, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
