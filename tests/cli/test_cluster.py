"""`coterie cluster`: what a run folder holds, where it may be written, and what the images need not fear."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.runner import Done, info, kinds_by_group, rows, run_here, snapshot, spoil
from coterie import __version__, load

Command = Callable[..., Done]
PARTS = ["assignments.csv", "embedding.npy", "linkage.npz", "map.npy", "model", "page.html", "run.json", "skipped.csv"]
QUICK = ("-k", "3", "--map", "pca")


def own(photos: Path, folder: Path) -> Path:
    return Path(shutil.copytree(photos, folder / "photos"))


def test_a_run_folder_holds_exactly_what_the_documentation_lists(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == [*PARTS, "thumbnails"]
    assert sorted(path.name for path in (run / "model").iterdir()) == ["model.json", "model.safetensors"]
    assert sorted(path.name for path in (run / "thumbnails").iterdir()) == ["index.json", "sheet-0000.jpg"]


def test_the_tables_have_their_exact_columns_and_a_row_for_every_image(run: Path, photos: Path) -> None:
    header, *lines = rows(run / "assignments.csv")
    assert header == ["path", "label", "confidence"]
    assert [line[0] for line in lines] == sorted(p.relative_to(photos).as_posix() for p in photos.rglob("*.png"))
    assert {line[1] for line in lines} == {"0", "1", "2"}
    assert all(0 <= float(line[2]) <= 1 and len(line[2]) == 6 for line in lines)
    assert rows(run / "skipped.csv") == [["path", "reason"]]


def test_three_obvious_kinds_become_three_groups(run: Path) -> None:
    assert sorted(map(tuple, kinds_by_group(run / "assignments.csv").values())) == [("a",), ("b",), ("c",)]


def test_the_arrays_have_a_row_for_every_image(run: Path) -> None:
    embedding, positions = (np.load(run / name, allow_pickle=False) for name in ("embedding.npy", "map.npy"))
    assert (embedding.shape, embedding.dtype) == ((60, 144), np.float32)
    assert (positions.shape, positions.dtype) == ((60, 2), np.float32)
    with np.load(run / "linkage.npz", allow_pickle=False) as linkage:
        assert sorted(linkage.files) == ["affinity", "initial", "is_fragment", "merges", "size"]
        assert (linkage["is_fragment"].shape, linkage["is_fragment"].dtype) == ((60,), np.dtype(bool))
        n_merges = len(linkage["merges"])
        n_initial = int(linkage["initial"].max()) + 1
        assert linkage["initial"].shape == (60,)
        assert (linkage["merges"].shape, linkage["size"].shape) == ((n_merges, 2), (n_merges,))
        assert {linkage[name].dtype for name in ("initial", "merges", "size")} == {np.dtype(np.int64)}
        assert linkage["affinity"].dtype == np.float64
        assert (n_merges, linkage["size"][-1]) == (n_initial - 1, 60)


def test_run_json_says_what_was_run_on_what(run: Path, photos: Path) -> None:
    about = info(run)
    assert (about["format"], about["format_version"], about["status"]) == ("coterie run", 1, "complete")
    assert (about["coterie"], about["method"], about["source"]) == (__version__, "gdl", str(photos))
    assert about["source_from_run"] == "../photos"
    assert about["created"].endswith("+00:00")
    assert {"n_clusters": 3, "scale": "local", "seed": 0, "map": "pca"}.items() <= about["config"].items()
    assert (about["config"]["features"], about["config"]["features_used"]) == ("auto", "pixels")
    assert about["clusters"] == {"n": 3, "sizes": [20, 20, 20]}
    assert {"read images", "features", "grouping", "map", "thumbnails", "page"} <= about["timings"].keys()
    assert {"python", "platform", "torch", "numpy", "scikit-learn"} <= about["versions"].keys()
    assert about["scores"]["accuracy"] == 1
    assert about["warnings"] == []
    assert "choice" not in about


def test_run_json_says_how_the_linkage_came_to_its_answer(run: Path, coterie: Command, photos: Path) -> None:
    linkage = info(run)["linkage"]
    assert {
        "n_neighbors": 5,
        "recall": 1,
        "stop": "sized",
        "fragments": 0,
        "fragment_images": 0,
    }.items() <= linkage.items()
    assert 0 < linkage["min_cluster_size"] <= 20
    assert linkage["inside"] == 1
    assert coterie("cluster", photos, "--stop", "plain", "--out", "plain", *QUICK).code == 0
    assert info(Path("plain"))["linkage"].keys() == {"n_neighbors", "recall", "stop", "zero_merges"}


def test_run_json_describes_the_images_as_they_were_read(run: Path) -> None:
    images = info(run)["images"]
    assert {"n": 60, "shape": [1, 12, 12], "skipped": 0, "duplicates": 0, "other_files": 0}.items() <= images.items()
    assert images["options"]["size"] == [12, 12]


def test_the_summary_names_the_groups_the_scores_and_the_page(made: tuple[Path, Done]) -> None:
    run, done = made
    read, found, sizes, scores, last = done.out.splitlines()
    assert read.startswith("read 60 images as 12 x 12 grey")
    assert found == "found 3 groups by gdl on pixels"
    assert sizes == "sizes: 20, 20, 20"
    assert scores.startswith("scores: accuracy 1.000, nmi_geometric 1.000")
    assert last.startswith("done in ")
    assert last.endswith(f" s; the page: {run / 'page.html'}")
    assert done.err == ""


def test_the_number_of_groups_is_chosen_and_the_runners_up_are_kept(coterie: Command, photos: Path) -> None:
    wide = ("--neighbors", "20", "--map", "pca")  # as many as a kind has images
    done = coterie("cluster", photos, "--out", "auto", *wide)
    choice = info(Path("auto"))["choice"]
    assert choice["n_clusters"] == 3
    assert choice["rule"]
    assert choice["runners_up"]
    next_best = ", ".join(str(other["n_clusters"]) for other in choice["runners_up"][:3])
    assert f"found 3 groups by gdl on pixels (chosen; next best {next_best})" in done.out
    assert coterie("cluster", photos, "--out", "also-auto", "-k", "auto", *wide).code == 0
    assert (Path("also-auto") / "assignments.csv").read_bytes() == Path("auto/assignments.csv").read_bytes()


def test_nothing_in_the_image_folder_changes_by_a_byte_or_a_time(coterie: Command, own_run: Path) -> None:
    spoil(Path("photos"))
    before = snapshot(Path("photos"))
    for arguments in (
        ("check", "photos"),
        ("cluster", "photos", "--out", "again", *QUICK),
        ("predict", "again", "photos", "--out", "new.csv"),
        ("export", "again", "--to", "folders"),
        ("export", "again", "--to", "folders", "--copy", "--out", "copies"),
        ("view", "again", "--no-browser", "--rebuild"),
    ):
        assert coterie(*arguments).code == 0, arguments
    assert snapshot(Path("photos")) == before


def test_the_same_command_gives_the_same_files(coterie: Command, photos: Path) -> None:
    for out in ("one", "two"):
        assert coterie("cluster", photos, "--out", out, *QUICK).code == 0
    for name in ("assignments.csv", "skipped.csv", "embedding.npy", "map.npy", "model/model.safetensors"):
        assert (Path("one") / name).read_bytes() == (Path("two") / name).read_bytes(), name


def test_the_seed_is_kept_and_changes_nothing_about_the_linkage(coterie: Command, photos: Path, run: Path) -> None:
    assert coterie("cluster", photos, "--out", "other", "--seed", "7", *QUICK).code == 0
    assert info(Path("other"))["config"]["seed"] == 7
    assert rows(Path("other/assignments.csv")) == rows(run / "assignments.csv")


def test_kmeans_groups_too_and_has_no_linkage(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos, "--method", "kmeans", "--out", "km", *QUICK).code == 0
    assert sorted(path.name for path in Path("km").iterdir()) == sorted({*PARTS, "thumbnails"} - {"linkage.npz"})
    assert 'id="level-bar"' not in Path("km/page.html").read_text(encoding="utf-8")
    assert {len(kinds) for kinds in kinds_by_group(Path("km/assignments.csv")).values()} == {1}


def test_the_options_of_reading_reach_the_images(coterie: Command, photos: Path) -> None:
    options = ("--size", "8x10", "--fit", "pad", "--colour", "--background", "black", "--features", "pixels")
    assert coterie("cluster", photos, "--out", "small", *options, *QUICK).code == 0
    about = info(Path("small"))
    assert about["images"]["shape"] == [3, 8, 10]
    assert {"size": [8, 10], "fit": "pad", "background": "black"}.items() <= about["images"]["options"].items()
    assert about["config"]["features"] == "pixels"


def test_the_options_of_the_linkage_reach_it(coterie: Command, photos: Path) -> None:
    options = ("--neighbors", "10", "--scale", "global", "--search", "exact", "--device", "cpu")
    assert coterie("cluster", photos, "--out", "global", *options, *QUICK).code == 0
    expected = {"n_neighbors": 10, "scale": "global", "search": "exact", "device": "cpu"}
    assert expected.items() <= info(Path("global"))["config"].items()


def test_the_options_of_the_stop_reach_it(coterie: Command, photos: Path) -> None:
    options = ("--stop", "plain", "--min-cluster-size", "4", "--refine", "0")
    assert coterie("cluster", photos, "--out", "plain", *options, *QUICK).code == 0
    expected = {"stop": "plain", "min_cluster_size": 4, "refine": 0}
    assert expected.items() <= info(Path("plain"))["config"].items()


def test_what_was_not_said_is_chosen_by_the_linkage(run: Path) -> None:
    expected = {"n_neighbors": "auto", "stop": "sized", "min_cluster_size": "auto", "refine": 1}
    assert expected.items() <= info(run)["config"].items()


def test_any_method_groups_by_hand_crafted_features_and_places_new_images_by_them(
    coterie: Command, photos: Path
) -> None:
    pytest.importorskip("skimage", reason="the extra 'descriptors' is not installed")
    options = ("--features", "hog", "--method", "sc-njw", "--out", "edges", *QUICK)
    assert coterie("cluster", photos, *options).code == 0
    about = info(Path("edges"))
    assert (about["config"]["features"], about["config"]["features_used"]) == ("hog", "hog")
    embedding = np.load("edges/embedding.npy", allow_pickle=False)
    assert embedding.shape == (60, 1764)
    np.testing.assert_array_equal(load("edges").transform(str(photos)), embedding)
    assert coterie("predict", "edges", photos / "a", "--out", "new.csv").code == 0
    assert len(rows(Path("new.csv"))) == 21
    assert "their edges (histograms of oriented gradients)" in Path("edges/page.html").read_text(encoding="utf-8")


def test_nmf_lp_groups_pixels_from_which_nothing_is_taken_and_places_new_images(coterie: Command, photos: Path) -> None:
    method = ("--method", "nmf-lp", "--set", "n_factors=3")
    assert "give --features unit-pixels" in coterie("cluster", photos, *method, *QUICK).error
    done = coterie("cluster", photos, *method, "--features", "unit-pixels", "--out", "parts", *QUICK)
    assert done.code == 0, done.err
    assert np.load("parts/embedding.npy").min() >= 0
    assert {len(kinds) for kinds in kinds_by_group(Path("parts/assignments.csv")).values()} == {1}
    assert "the mean image left in" in Path("parts/page.html").read_text(encoding="utf-8")
    assert coterie("predict", "parts", photos, "--out", "new.csv").code == 0
    assert [line[1] for line in rows(Path("new.csv"))] == [line[1] for line in rows(Path("parts/assignments.csv"))]


def test_given_features_are_used_as_they_are(coterie: Command, photos: Path) -> None:
    rng = np.random.default_rng(0)
    np.save("rows.npy", np.repeat(np.eye(3), 20, axis=0) + rng.normal(0, 0.01, (60, 3)))
    assert coterie("cluster", photos, "--features", "rows.npy", "--out", "given", *QUICK).code == 0
    about = info(Path("given"))
    assert (about["config"]["features"], about["config"]["features_used"]) == ("rows.npy", "embeddings")
    assert np.load("given/embedding.npy").shape == (60, 3)
    assert {len(kinds) for kinds in kinds_by_group(Path("given/assignments.csv")).values()} == {1}


def test_a_csv_of_classes_gives_scores_and_says_how_many_images_it_covers(coterie: Command, photos: Path) -> None:
    lines = [f"{kind}/{kind}{i:02d}.png,kind {kind}" for kind in "abc" for i in range(19)]
    Path("classes.csv").write_text("\n".join(["path,class", *lines, "nowhere.png,kind a"]))
    done = coterie("cluster", photos, "--classes", "classes.csv", "--out", "scored", *QUICK)
    scores = info(Path("scored"))["scores"]
    assert (scores["accuracy"], scores["matched"], scores["without_class"], scores["unused_rows"]) == (1, 57, 3, 1)
    assert done.err == "note: classes.csv has a class for 57 of the 60 images; the scores are of those alone\n"


def test_warnings_are_shown_once_and_kept_in_run_json(coterie: Command, own_run: Path) -> None:
    for number in (1, 2):
        shutil.copy("photos/a/a00.png", f"photos/copy-{number}.png")
    # with five neighbours two copies would be so near that the other edges weigh nothing, which is a second note
    done = coterie("cluster", "photos", "--out", "again", "--neighbors", "20", *QUICK)
    assert done.err == "note: 2 images are exact copies of others\n"
    assert " s, with 1 note; the page: " in done.out
    assert info(Path("again"))["warnings"] == [
        {"kind": "DuplicateImagesWarning", "message": "2 images are exact copies of others"}
    ]
    assert info(Path("again"))["images"]["duplicates"] == 2


def test_skipped_files_are_listed_counted_and_make_a_strict_run_exit_with_3(coterie: Command, own_run: Path) -> None:
    names = spoil(Path("photos"))
    done = coterie("cluster", "photos", "--out", "again", "--strict", *QUICK)
    assert done.code == 3
    assert "read 60 images as 12 x 12 grey, skipped 3, see again/skipped.csv" in done.out
    assert done.err == "note: skipped 3 of 63 images (1 empty, 1 not an image, 1 truncated)\n"
    assert rows(Path("again/skipped.csv")) == [
        ["path", "reason"],
        *([name, reason] for name, reason in zip(names, ["empty", "not an image", "truncated"], strict=True)),
    ]
    assert info(Path("again"))["images"]["skipped"] == 3
    assert coterie("cluster", "photos", "--out", "lenient", *QUICK).code == 0


def test_a_strict_run_without_a_warning_exits_with_0(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos, "--out", "strict", "--strict", *QUICK).code == 0


def test_too_many_bad_files_stop_the_run_and_max_bad_says_how_many_are(coterie: Command, own_run: Path) -> None:
    spoil(Path("photos"))
    done = coterie("cluster", "photos", "--out", "again", "--max-bad", "0.01", *QUICK)
    assert done.code == 1
    assert done.error.startswith("could not read 3 of 63 images under photos")
    assert not Path("again").exists()


def test_two_images_are_enough(coterie: Command, photos: Path) -> None:
    Path("two").mkdir()
    for name in ("a/a00.png", "b/b00.png"):
        shutil.copy(photos / name, "two")
    done = coterie("cluster", "two", "--map", "pca")
    assert done.code == 0, done.err
    assert info(Path("two-groups"))["images"]["n"] == 2


@pytest.mark.parametrize(("name", "out"), [("two.v1", "two.v1-groups"), ("two.tar.gz", "two-groups")])
def test_the_run_is_named_after_its_images_when_no_name_is_given(
    coterie: Command, photos: Path, name: str, out: str
) -> None:
    if name.endswith(".gz"):
        shutil.make_archive("two", "gztar", photos)
    else:
        shutil.copytree(photos, name)
    assert coterie("cluster", name, *QUICK).code == 0
    assert info(Path(out))["source"] == name


def test_inside_the_image_folder_the_run_goes_beside_it(
    coterie: Command, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("photos")
    before = snapshot(Path())
    assert coterie("cluster", ".", *QUICK).code == 0
    assert info(Path("../photos-groups"))["images"]["n"] == 60
    assert snapshot(Path()) == before


@pytest.mark.parametrize("out", ["photos", "photos/groups", "photos/a"])
def test_a_run_is_never_written_among_the_images(coterie: Command, own_run: Path, out: str) -> None:
    before = snapshot(Path("photos"))
    for more in ((), ("--force",)):
        done = coterie("cluster", "photos", "--out", out, *more)
        assert done.code == 1
        assert done.error == f"{out} lies inside photos, whose images are only read; give --out another place"
    assert snapshot(Path("photos")) == before


def test_a_finished_run_is_only_replaced_by_force(coterie: Command, own_run: Path) -> None:
    (own_run / "notes.txt").write_text("mine")
    before = snapshot(own_run)
    done = coterie("cluster", "photos", "--out", "run", "-k", "2", "--map", "pca")
    assert done.code == 1
    assert done.error == "run is not empty; give another --out, or --force to replace the run in it"
    assert snapshot(own_run) == before
    done = coterie("cluster", "photos", "--out", "run", "-k", "2", "--map", "pca", "--force", "--method", "kmeans")
    assert done.code == 0, done.err
    assert info(own_run)["clusters"]["n"] == 2
    assert not (own_run / "linkage.npz").exists(), "a part of the run before"
    assert (own_run / "notes.txt").read_text() == "mine"


def test_force_never_touches_a_folder_that_is_no_run(coterie: Command, own_run: Path) -> None:
    Path("work/model").mkdir(parents=True)
    Path("work/model/weights.bin").write_bytes(b"years of work")
    before = snapshot(Path("work"))
    done = coterie("cluster", "photos", "--out", "work", "--force", *QUICK)
    assert done.code == 1
    assert done.error == "work is not empty and holds no run of coterie; give --out another folder"
    Path("work/run.json").write_text(json.dumps({"format": "another program"}))
    assert coterie("cluster", "photos", "--out", "work", "--force", *QUICK).code == 1
    Path("work/run.json").unlink()
    assert snapshot(Path("work")).keys() == before.keys()


def test_an_empty_folder_may_become_the_run(coterie: Command, photos: Path) -> None:
    Path("ready").mkdir()
    assert coterie("cluster", photos, "--out", "ready", *QUICK).code == 0


@pytest.mark.parametrize("problem", [("--classes", "classes.csv"), ("-k", "61"), ("--features", "rows.npy")])
def test_a_run_that_fails_leaves_the_one_it_would_replace(
    coterie: Command, own_run: Path, problem: tuple[str, str]
) -> None:
    Path("classes.csv").write_text("path,class\nnowhere.png,1\n")
    np.save("rows.npy", np.zeros((59, 4)))
    before = snapshot(own_run)
    assert coterie("cluster", "photos", "--out", "run", "--force", *problem).code == 2
    after = snapshot(own_run)
    assert {name: content for name, (_, content) in after.items()} == {n: content for n, (_, content) in before.items()}


def test_a_run_that_fails_leaves_no_empty_folder(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos, "--out", "deep/new", "-k", "61").code == 2
    assert not Path("deep/new").exists()


def test_the_same_command_works_again_after_a_run_that_broke_off(
    coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    command = ("cluster", photos, "--out", "again", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("coterie.images.thumbnails.write_thumbnails", broken)
        assert coterie(*command).code == 130
    Path("again/.map.npy.0a1b2c3d.partial").write_bytes(b"torn")
    assert (Path("again") / "assignments.csv").exists()
    for arguments in (("view", "again"), ("predict", "again", photos), ("evaluate", "again", "--classes", "folders")):
        done = coterie(*arguments)
        assert (done.code, done.error) == (
            2, "again is not a finished run (its status is 'running'); run the same command again.",
        )  # fmt: skip
    assert coterie(*command).code == 0
    assert sorted(path.name for path in Path("again").iterdir()) == [*PARTS, "thumbnails"]


def test_the_page_holds_the_run(run: Path) -> None:
    page = (run / "page.html").read_text(encoding="utf-8")
    assert "a/a00.png" in page
    assert 'id="level-bar"' in page, "no slider along the merge history"
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_images_decoded_before_are_used_again(coterie: Command, photos: Path) -> None:
    run_here("check", photos, "--size", "11")
    done = coterie("cluster", photos, "--size", "11", "--out", "again", *QUICK)
    assert "read 60 images as 11 x 11 grey (decoded by an earlier run)" in done.out
