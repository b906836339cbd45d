"""The file itself: what it holds, what it escapes, when it refuses."""

import base64
import hashlib
import json
import os
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coterie.errors import OutputError, RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.report import write_page
from coterie.report.page import SCRIPTS, json_for_html
from coterie.report.ranking import typical_first
from report.conftest import WICKED
from report.run_maker import TILE, blobs, make_run


def page_of(folder: Path, n: int = 40, k: int = 3, **parts: object) -> str:
    images, labels, confidence, positions = blobs(n, k)
    defaults: dict[str, object] = {"confidence": confidence, "positions": positions}
    return write_page(make_run(folder, images, labels, **{**defaults, **parts})).read_text(encoding="utf-8")


def data_of(html: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    value: dict[str, object] = json.loads(found[1])
    return value


def test_the_page_names_nothing_outside_itself(tmp_path: Path) -> None:
    html = page_of(tmp_path)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', html)
    assert not re.search(r"@import|url\(", html)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html)


def test_the_policy_allows_exactly_the_script_and_the_style_on_the_page(tmp_path: Path) -> None:
    html = page_of(tmp_path)
    for tag, source in (("script", "script-src"), ("style", "style-src")):
        inline = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert inline
        digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in html
    assert "default-src 'none'" in html


def test_wicked_names_survive_in_the_data_and_never_as_markup(tmp_path: Path) -> None:
    html = page_of(tmp_path, n=len(WICKED), k=2, names=WICKED, skipped=[("<b>bold</b>.jpg", "not an <image>")])
    assert data_of(html)["names"] == WICKED
    assert "<script>window" not in html
    assert "<b>bold" not in html
    assert "not an &lt;image&gt;" in html


def test_everything_said_in_run_json_is_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\udcff"
    info = {
        "source": evil,
        "method": evil,
        "config": {evil: evil, "features": evil},
        "warnings": [{"kind": "GraphWarning", "message": evil}],
        "scores": {evil: evil},
        "choice": {"n_clusters": 3, "rule": evil, "runners_up": [{"n_clusters": evil, "score": 1}]},
        "versions": {evil: evil},
    }
    html = page_of(tmp_path, info=info)
    assert "<img src=x" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;\\udcff") >= 8


@pytest.mark.parametrize("character", ["<", ">", "&", "\u2028", "\u2029", "\ud800", "\u5c71"])
def test_json_on_the_page_is_plain_ascii_without_markup(character: str) -> None:
    text = json_for_html({"a": character})
    assert text.isascii()
    assert not set(text) & set("<>&")
    assert json.loads(text) == {"a": character}


def test_labels_confidence_and_map_arrive_as_written(tmp_path: Path) -> None:
    data = data_of(page_of(tmp_path, n=50, k=3))
    run = RunFolder.open(tmp_path)
    labels = np.frombuffer(base64.b64decode(str(data["labels"])), dtype="<i4")
    confidence = np.frombuffer(base64.b64decode(str(data["confidence"])), dtype="<u2") / 10_000
    places = np.frombuffer(base64.b64decode(str(data["map"])), dtype="<u2").reshape(-1, 2) / 65_535
    assert (labels == run.labels).all()
    assert np.allclose(confidence, run.confidence, atol=5e-5)
    assert run.map is not None
    span = np.ptp(np.asarray(run.map), axis=0).max()
    assert np.allclose(places, (run.map - np.min(run.map, axis=0)) / span, atol=2e-5)


def test_every_image_finds_its_own_thumbnail_after_the_tiles_were_rearranged(tmp_path: Path) -> None:
    n = 600  # three sheets
    rng = np.random.default_rng(3)
    shades = rng.integers(0, 256, n).astype(np.uint8)
    images = np.repeat(shades, 64).reshape(n, 8, 8)
    chosen = sorted(rng.permutation(n)[:550].tolist())
    make_run(tmp_path, images, rng.integers(0, 5, n), with_thumbnails=chosen)
    html = write_page(tmp_path).read_text(encoding="utf-8")
    tiles = data_of(html)["tiles"]
    assert isinstance(tiles, dict)
    place = np.frombuffer(base64.b64decode(tiles["of"]), dtype="<i4")
    found = re.findall(r'<script type="text/plain" id="sheet-\d+">(.*?)</script>', html)
    sheets = [np.asarray(Image.open(BytesIO(base64.b64decode(text)))) for text in found]
    assert len(sheets) == 3
    for image in range(n):
        if image not in chosen:
            assert place[image] == -1
            continue
        sheet, at = divmod(int(place[image]), tiles["per_sheet"])
        y, x = (TILE * v for v in divmod(at, tiles["columns"]))
        assert abs(int(sheets[sheet][y + 32, x + 32]) - int(shades[image])) <= 4


def test_tiles_lie_group_by_group_and_most_typical_first(tmp_path: Path) -> None:
    data = data_of(page_of(tmp_path, n=300, k=5))
    run = RunFolder.open(tmp_path)
    tiles = data["tiles"]
    assert isinstance(tiles, dict)
    order = np.argsort(np.frombuffer(base64.b64decode(tiles["of"]), dtype="<i4"))
    assert (np.diff(run.labels[order]) >= 0).all()
    for group in range(5):
        assert (np.diff(run.confidence[order][run.labels[order] == group]) <= 0).all()


def test_of_equally_sure_images_the_one_in_the_middle_of_its_group_is_the_most_typical(tmp_path: Path) -> None:
    n = 30
    embedding = np.zeros((n, 2), dtype=np.float32)
    embedding[:, 0] = np.abs(np.arange(n) - 17) ** 1.5 * np.where(np.arange(n) % 2, 1, -1)
    tmp_path.joinpath("run").mkdir()
    np.save(tmp_path / "run" / "embedding.npy", embedding)
    images, *_ = blobs(n, 1)
    confidence = np.where(np.arange(n) == 3, 0.5, 1.0)
    make_run(tmp_path / "run", images, np.zeros(n, dtype=int), confidence=confidence)
    rank = typical_first(RunFolder.open(tmp_path / "run"))
    distance = np.abs(embedding[:, 0] - embedding[:, 0].mean())
    expected = [i for i in np.argsort(distance, kind="stable") if i != 3] + [3]
    assert np.argsort(rank).tolist() == expected


def test_a_run_without_map_thumbnails_classes_or_skipped_files_still_has_a_page(tmp_path: Path) -> None:
    images, labels, *_ = blobs(20, 2)
    make_run(tmp_path, images, labels, confidence=np.full(20, np.nan))
    for file in (tmp_path / "thumbnails").iterdir():
        file.unlink()
    (tmp_path / "thumbnails").rmdir()
    html = write_page(tmp_path).read_text(encoding="utf-8")
    data = data_of(html)
    assert (data["map"], data["tiles"]) == (None, None)
    assert "No file was left out" in html
    assert "known classes" not in html


def test_originals_are_linked_relative_to_the_page(tmp_path: Path, photos: Path) -> None:
    info = {"source": str(photos)}
    data = data_of(page_of(tmp_path / "run", n=len(WICKED), k=2, names=WICKED, info=info))
    assert data["originals"] == {"base": "../my%20photos%20%231/", "prefix": f"{photos}/", "note": ""}


def test_originals_are_found_as_seen_from_the_run_whatever_the_current_folder(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    info = {"source": photos.name, "source_from_run": f"../{photos.name}"}
    data = data_of(page_of(tmp_path / "run", n=len(WICKED), k=2, names=WICKED, info=info))
    assert data["originals"] == {"base": "../my%20photos%20%231/", "prefix": f"{photos.name}/", "note": ""}


def test_originals_of_a_manifest_start_from_its_folder(tmp_path: Path, photos: Path) -> None:
    (photos / "list.txt").write_text("")
    info = {"source": "here/list.txt", "source_from_run": f"../{photos.name}/list.txt"}
    data = data_of(page_of(tmp_path / "run", n=len(WICKED), k=2, names=WICKED, info=info))
    assert data["originals"] == {"base": "../my%20photos%20%231/", "prefix": "here/", "note": ""}


def test_originals_inside_an_archive_are_said_to_be_there(tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    archive.write_bytes(b"PK")
    originals = data_of(page_of(tmp_path / "run", info={"source": str(archive)}))["originals"]
    assert isinstance(originals, dict)
    assert originals["base"] is None
    assert "inside" in originals["note"]


def test_the_page_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    page_of(tmp_path)
    before = (tmp_path / "page.html").read_bytes()
    (tmp_path / "thumbnails" / "sheet-0000.jpg").write_bytes(b"\xff\xd8 cut off")
    with pytest.raises(RunFolderError, match=r"sheet-0000\.jpg is missing or damaged"):
        write_page(tmp_path)
    assert (tmp_path / "page.html").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"run\.json"):
        write_page(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_run_folder_is_named(tmp_path: Path) -> None:
    page_of(tmp_path)
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        write_page(tmp_path)
    tmp_path.chmod(0o700)


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    assert page_of(tmp_path) == write_page(RunFolder.open(tmp_path)).read_text(encoding="utf-8")


def test_every_script_file_is_on_the_page_and_none_can_end_it_early() -> None:
    static = Path(write_page.__code__.co_filename).parent / "static"
    assert {path.name for path in static.glob("*.js")} == set(SCRIPTS)
    for path in static.iterdir():
        assert "</" not in path.read_text(encoding="utf-8"), path
