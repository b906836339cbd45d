"""UDC as a person runs it: a folder of files and `coterie cluster`; docs/results/udc/folder.json.

    python benchmarks/udc_folder.py faint-mnist-test --size 6 --data ../shared/data --work runs/udc-folder \\
        -- --batch-size 32 --set beside=16 ...

The images of a set become PNG in ``--work``/images and their classes a CSV, which scores and does nothing else; what
stands after -- is given to the command. It goes on where it was stopped, and a run that is complete is only read. The
row has the answer that the command chose, the scores of all answers, and what it says of its trainings.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from provenance import provenance
from study_rows import Row, keep, read_rows

from coterie.errors import RunFolderError
from coterie.evidence.datasets import Dataset, load
from coterie.files.csv_files import write_csv
from coterie.files.run_folder import RunFolder

SCORES = {"acc": "accuracy", "nmi": "nmi_arithmetic", "ari": "ari"}
SAME = ("set", "size", "asked")  # a row that is measured again is replaced
OUT = Path("docs/results/udc/folder.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a set of coterie.evidence.datasets or made_sets")
    parser.add_argument("--size", type=int, required=True, help="pixels to stretch the images to")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--work", type=Path, default=Path("runs/udc-folder"), help="folder for images and run")
    parser.add_argument("--out", type=Path, default=OUT)
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    asked, options = parser.parse_args(given[:end]), given[end + 1 :]
    data = load(asked.name, asked.data, (asked.size, asked.size))
    check_work(asked.work, [asked.name, asked.size, *options])
    write_images(data, asked.work)
    command = ["cluster", "images", "-k", str(data.n_clusters), "--method", "udc", "--classes", "classes.csv"]
    if opened(asked.work / "run") is None:
        installed = str(Path(sys.executable).with_name("coterie").absolute())
        subprocess.run([installed, *command, "--out", "run", *options], cwd=asked.work, check=True)
    shown = " ".join(["coterie", *command, *options])
    row = {"set": asked.name, "size": asked.size, "asked": shown, **read_run(RunFolder.open(asked.work / "run"))}
    others = [kept for kept in read_rows(asked.out) if any(kept[name] != row[name] for name in SAME)]
    keep(asked.out, [*others, row | provenance()])
    print(json.dumps(row, indent=1))


def check_work(folder: Path, given: list[str]) -> None:
    """Notes in ``folder`` what is ``given``, and refuses one that was begun with something else."""
    note = folder / "asked.json"
    folder.mkdir(parents=True, exist_ok=True)
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != given:
        raise SystemExit(f"{folder} was begun with {note.read_text(encoding='utf-8')}; give another --work")
    note.write_text(json.dumps(given), encoding="utf-8")


def write_images(data: Dataset, folder: Path) -> None:
    """The images of ``data`` as images/00000.png, ... and classes.csv in ``folder``; nothing where they are there."""
    if (folder / "classes.csv").exists():
        return
    (folder / "images").mkdir(parents=True, exist_ok=True)
    names = [f"{row:05d}.png" for row in range(len(data.images))]
    for name, image in zip(names, data.images, strict=True):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / "images" / name)
    write_csv(folder / "classes.csv", ["path", "class"], zip(names, data.classes.tolist(), strict=True))


def opened(run: Path) -> RunFolder | None:
    """The run that the command left there; None where it has not come to its end."""
    try:
        return RunFolder.open(run)
    except RunFolderError:
        return None


def read_run(run: RunFolder) -> Row:
    """What the run folder says, in the terms of the other studies."""
    told, last = run.info["answers"], (run.training or [{}])[-1]
    return {
        "n": run.info["images"]["n"], "shape": run.info["images"]["shape"], "parameters": run.info["config"],
        "chosen_run": told.get("chosen_run", 1), "chosen": told["chosen"], "because": told["because"],
        **of_interest(run.info["scores"]),
        "answers": {row["name"]: of_interest(row["scores"]) for row in told["answers"]},
        "runs": told.get("runs", []), "pairwise_nmi": told.get("nmi"), "alternatives": told.get("alternatives", []),
        "strength": {name: round(own.strength, 4) for name, own in run.group_pictures.items()},
        "seconds": last.get("seconds"), "timings": run.info["timings"],
        "warnings": [warning["message"] for warning in run.info["warnings"]],
    }  # fmt: skip


def of_interest(scores: dict[str, Any]) -> dict[str, float]:
    return {name: scores[key] for name, key in SCORES.items()}


if __name__ == "__main__":
    main()
