"""The ablations of TCC (tcc.md section 15), one training a setting, each a row in docs/results/tcc.json.

    python benchmarks/tcc_studies.py --data ../shared/data [--sets usps] [--settings full alpha-0 ...] [--seeds 0]
    python benchmarks/render_tcc.py

"taught" settings change one thing of coterie's defaults, in which the linkage of the embedding starts the prototypes
and teaches the head. "alone" ones have neither, as in the paper: there the head must find the clusters by itself.
A setting that has a row is not run again, so the command can be stopped and given once more; a training that was cut
off goes on from its checkpoint in --work. Classes give the number of clusters and the scores, nothing else.
"""

import argparse
from pathlib import Path

from study_rows import Row, keep, missing, read_rows, trained_row

from coterie.evidence.datasets import load
from coterie.evidence.recipe import Recipe

ALONE: Row = {"warm_up": 0, "teach": 0.0}
SETTINGS: dict[str, Row] = {
    "full": {},
    "alpha-0": {"alpha": 0.0},
    "alpha-.1": {"alpha": 0.1},
    "alpha-.2": {"alpha": 0.2},
    "alpha-.5": {"alpha": 0.5},
    "alpha-2": {"alpha": 2.0},
    "not-taught": {"teach": 0.0},
    "no-instance": {"instance": 0.0},
    "beta-0": {"beta": 0.0},
    "beta-warm-up": {"beta_warm_up": 6},
    "kl-sample": {"kl": "sample"},
    "self-training": {"self_training": 0.1},
    "paper-like": {"tau_q": "paper_like"},
    "tau-q-.1": {"tau_q": 0.1},
    "tau-q-.5": {"tau_q": 0.5},
    "combine-none": {"combine": "none"},
    "no-gumbel": {"gumbel": False},
    "samples-5": {"n_samples": 5},
    "samples-10": {"n_samples": 10},
    "no-cluster-queue": {"cluster_queue": 0},
    "cluster-queue-5": {"cluster_queue": 5},
    "cluster-queue-50": {"cluster_queue": 50},
    "queue-1024": {"queue_size": 1024},
    "queue-4096": {"queue_size": 4096},
    "queue-16384": {"queue_size": 16384},
    "momentum-0": {"momentum": 0.0, "queue_size": 0},
    "frozen": {"frozen": True},
    "weights-gumbel": {"weights": "gumbel"},
    "batch-64": {"batch_size": 64},
    "batch-128": {"batch_size": 128},
    "batch-512": {"batch_size": 512},
    # for clothes, which may be mirrored, cropped, or hardly changed at all
    "not-taught-mice": {"teach": 0.0, "augment": "mice"},
    "not-taught-tau-.5": {"teach": 0.0, "tau": 0.5},
    "not-taught-tau-.5-dac": {"teach": 0.0, "tau": 0.5, "augment": "dac"},
    # taught while the embedding is still near the pixels, by which clothes lie better than by what is their own
    "taught-early": {"warm_up": 1, "relink": 2},
    "taught-early-no-instance": {"warm_up": 1, "relink": 2, "instance": 0.0},
    "alone": ALONE,
    "alone-alpha-0": ALONE | {"alpha": 0.0},
    "alone-beta-warm-up": ALONE | {"beta_warm_up": 6},
    "alone-kl-sample": ALONE | {"kl": "sample"},
    "alone-kl-sample-beta-warm-up": ALONE | {"kl": "sample", "beta_warm_up": 6},
    "alone-combine-none": ALONE | {"combine": "none"},
    "alone-tau-q-.1": ALONE | {"tau_q": 0.1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--sets", nargs="*", default=["usps"])
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, default=Path("runs/tcc-studies"), help="folder for checkpoints")
    parser.add_argument("--out", type=Path, default=Path("docs/results/tcc.json"))
    asked = parser.parse_args()
    own = {"epochs": asked.epochs, "precision": asked.precision}
    wanted = [
        {"set": name, "setting": setting, "seed": seed, "parameters": own | SETTINGS[setting]}
        for name in asked.sets
        for seed in asked.seeds
        for setting in asked.settings
    ]
    rows = read_rows(asked.out)
    for row in missing(wanted, rows):
        recipe = Recipe("own", "", "", row["set"], "tcc", parameters=row["parameters"])
        work = asked.work / f"{row['set']}-{row['setting']}-{recipe.digest}-{row['seed']}"
        rows.append(row | trained_row(recipe, load(row["set"], asked.data), row["seed"], work, asked.device))
        keep(asked.out, rows)
        print(row["set"], row["setting"], rows[-1]["answers"], flush=True)


if __name__ == "__main__":
    main()
