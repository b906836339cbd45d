"""Reading a finished run."""

import json
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import RunFolderError
from coterie.files.atomic import write_json, write_npy, write_npz
from coterie.files.run_folder import RunFolder
from coterie.files.snapshots import Snapshot, write_snapshots
from coterie.files.tables import escape_name, write_csv

NAMES = ["a.png", 'b,"\n.png', "\udcff.png"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small complete run, as the command line writes it."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_json(folder / "run.json", info())
    rows = [(escape_name(name), i % 2, f"{0.5 + i / 10:.4f}") for i, name in enumerate(NAMES)]
    write_csv(folder / "assignments.csv", ["path", "label", "confidence"], rows)
    write_csv(folder / "skipped.csv", ["path", "reason"], [(escape_name("bad\udcff.jpg"), "truncated")])
    write_npy(folder / "embedding.npy", np.eye(3, 4, dtype=np.float32))
    return folder


def info(**changes: object) -> dict[str, object]:
    return {
        "format": "coterie run",
        "format_version": 1,
        "status": "complete",
        "coterie": "0.1.0",
        "images": {"n": 3},
        **changes,
    }


def test_a_run_reads_back(run: Path) -> None:
    opened = RunFolder.open(run)
    assert opened.path == run
    assert opened.names == NAMES
    assert opened.labels.tolist() == [0, 1, 0]
    assert opened.labels.dtype == np.int64
    np.testing.assert_allclose(opened.confidence, [0.5, 0.6, 0.7], rtol=1e-6)
    assert opened.confidence.dtype == np.float32
    assert opened.skipped == [("bad\udcff.jpg", "truncated")]
    np.testing.assert_array_equal(opened.embedding, np.eye(3, 4))
    assert isinstance(opened.embedding, np.memmap)


def test_parts_that_a_run_did_not_write_are_none(run: Path) -> None:
    (run / "skipped.csv").unlink()
    opened = RunFolder.open(run)
    assert opened.linkage is None
    assert opened.map is None
    assert opened.thumbnails is None
    assert (opened.answers, opened.training, opened.snapshots) == (None, None, None)
    assert opened.skipped == []


def test_linkage_map_and_thumbnails_read_back(run: Path) -> None:
    linkage = {"initial": np.arange(3), "merges": np.array([[0, 1]]), "affinity": np.ones(1), "size": np.array([2])}
    write_npz(run / "linkage.npz", **linkage)
    write_npy(run / "map.npy", np.zeros((3, 2), np.float32))
    write_thumbnails(run, images=None, n=3)
    opened = RunFolder.open(run)
    assert opened.linkage is not None
    for name, array in linkage.items():
        np.testing.assert_array_equal(opened.linkage[name], array)
    assert opened.map is not None
    assert opened.map.shape == (3, 2)
    assert opened.thumbnails is not None
    assert (opened.thumbnails.tile, opened.thumbnails.columns, opened.thumbnails.rows) == (64, 2, 1)
    assert opened.thumbnails.images.tolist() == [0, 1, 2]
    assert [path.name for path in opened.thumbnails.sheets] == ["sheet-0000.jpg", "sheet-0001.jpg"]


def test_thumbnails_of_some_images_name_them(run: Path) -> None:
    write_thumbnails(run, images=[2, 0], n=2)
    thumbnails = RunFolder.open(run).thumbnails
    assert thumbnails is not None
    assert thumbnails.images.tolist() == [2, 0]


def write_thumbnails(run: Path, images: list[int] | None, n: int, sheets: int = 2) -> None:
    (run / "thumbnails").mkdir()
    write_json(run / "thumbnails" / "index.json", {"tile": 64, "columns": 2, "rows": 1, "n": n, "images": images})
    for i in range(sheets):
        (run / "thumbnails" / f"sheet-{i:04d}.jpg").write_bytes(b"jpeg")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "other"}, "another program"),
        ({"format_version": 2, "coterie": "9.9"}, r"written by coterie 9\.9 \(format 2\).*upgrade"),
        ({"format_version": "x"}, "format x"),
        ({"status": "running"}, "not a finished run"),
    ],
)
def test_runs_that_cannot_be_read_are_refused_with_the_reason(
    run: Path, changes: dict[str, object], reason: str
) -> None:
    write_json(run / "run.json", info(**changes))
    with pytest.raises(RunFolderError, match=reason):
        RunFolder.open(run)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="not a folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunFolderError, match=r"no run\.json"):
        RunFolder.open(tmp_path)
    for text in ("{", "[]", "[" * 100_000):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(RunFolderError, match="damaged"):
            RunFolder.open(tmp_path)


def test_an_assignments_file_with_lost_rows_or_words_for_numbers_is_refused(run: Path) -> None:
    path = run / "assignments.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    with pytest.raises(RunFolderError, match=r"has 1 images, run\.json says 3"):
        _ = RunFolder.open(run).names
    for row in ("a.png,zero,0.5", "a.png,0,high", "a.png,0"):
        path.write_text(f"path,label,confidence\n{row}\n")
        with pytest.raises(RunFolderError, match="damaged"):
            _ = RunFolder.open(run).labels


def test_damaged_arrays_are_refused(run: Path) -> None:
    (run / "embedding.npy").write_bytes((run / "embedding.npy").read_bytes()[:-5])
    (run / "linkage.npz").write_bytes(b"PK\x03\x04 torn")
    opened = RunFolder.open(run)
    with pytest.raises(RunFolderError, match=r"embedding\.npy is missing or damaged"):
        _ = opened.embedding
    with pytest.raises(RunFolderError, match=r"linkage\.npz is missing or damaged"):
        _ = opened.linkage
    write_npy(run / "embedding.npy", np.zeros((2, 4), np.float32))
    with pytest.raises(RunFolderError, match="one row for each of 3 images"):
        _ = opened.embedding


def test_arrays_that_need_pickle_are_refused(run: Path) -> None:
    np.save(run / "embedding.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(run / "linkage.npz", initial=np.array([{}], dtype=object))
    opened = RunFolder.open(run)
    with pytest.raises(RunFolderError, match=r"embedding\.npy"):
        _ = opened.embedding
    with pytest.raises(RunFolderError, match=r"linkage\.npz"):
        _ = opened.linkage


def test_thumbnails_without_all_their_sheets_are_refused(run: Path) -> None:
    write_thumbnails(run, images=None, n=3, sheets=1)
    with pytest.raises(RunFolderError, match="not complete"):
        _ = RunFolder.open(run).thumbnails
    (run / "thumbnails" / "index.json").write_text(json.dumps({"tile": "big"}))
    with pytest.raises(RunFolderError, match="damaged"):
        _ = RunFolder.open(run).thumbnails


def snapshot(title: str, m: int, n_clusters: int) -> Snapshot:
    points = np.arange(3 * m, dtype=np.float32).reshape(m, 3)
    return Snapshot(title, points, np.arange(m, dtype=np.int64) % n_clusters, n_clusters)


def test_answers_figures_and_snapshots_of_a_training_read_back(run: Path) -> None:
    write_npz(run / "answers.npz", head=np.array([0, 1, 0]), linkage=np.array([1, 1, 0]))
    (run / "metrics.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": null}\n')
    written = [snapshot("période 0", 3, 40), snapshot("<end>", 2, 2)]
    write_snapshots(run / "snapshots.npz", written)
    opened = RunFolder.open(run)
    assert opened.answers is not None
    assert {name: labels.tolist() for name, labels in opened.answers.items()} == {
        "head": [0, 1, 0],
        "linkage": [1, 1, 0],
    }
    assert opened.training == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None}]
    assert opened.snapshots is not None
    for found, expected in zip(opened.snapshots, written, strict=True):
        assert (found.title, found.n_clusters) == (expected.title, expected.n_clusters)
        np.testing.assert_array_equal(found.positions, expected.positions)
        np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("labels", [np.zeros(2, int), np.zeros((3, 1), int), np.zeros(3), np.array(["a", "b", "c"])])
def test_answers_that_are_no_label_for_each_image_are_refused(run: Path, labels: np.ndarray) -> None:
    write_npz(run / "answers.npz", head=labels)
    with pytest.raises(RunFolderError, match=r"answers\.npz does not hold a label for each of 3 images"):
        _ = RunFolder.open(run).answers


@pytest.mark.parametrize("text", ['{"epoch": 1', "[1]\n", '{"epoch": 1}\n\n', "\udcff"])
def test_figures_that_are_no_json_objects_are_refused(run: Path, text: str) -> None:
    (run / "metrics.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl is missing or damaged"):
        _ = RunFolder.open(run).training


def test_damaged_answers_and_snapshots_are_refused(run: Path) -> None:
    whole = snapshot("a", 3, 2)
    write_snapshots(run / "snapshots.npz", [whole, snapshot("b", 3, 2)])
    data = (run / "snapshots.npz").read_bytes()
    arrays = dict(np.load(run / "snapshots.npz", allow_pickle=False))
    for name in ("answers", "snapshots"):
        (run / f"{name}.npz").write_bytes(data[:-40])
        with pytest.raises(RunFolderError, match=rf"{name}\.npz is missing or damaged"):
            getattr(RunFolder.open(run), name)
    wrong: list[dict[str, np.ndarray]] = [
        {"end": np.array([3, 7])},
        {"end": np.array([4, 3])},
        {"end": np.array([6])},
        {"end": np.zeros(0, int), "title": np.zeros(0, "<U1"), "n_clusters": np.zeros(0, int)},
        {"positions": np.zeros((6, 2), np.float32)},
        {"labels": np.array([{}], dtype=object)},
    ]
    for change in wrong:
        np.savez(run / "snapshots.npz", **arrays | change)
        with pytest.raises(RunFolderError, match=r"snapshots\.npz is missing or damaged"):
            _ = RunFolder.open(run).snapshots
