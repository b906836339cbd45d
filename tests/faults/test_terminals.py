"""Faults of terminals and names, through the commands: rows 16-18, 43, 56 and 58 of the fault table."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cli.runner import Done, info, python_process, rows, run_process, snapshot, spoil

Command = Callable[..., Done]
QUICK = ("-k", "3", "--map", "pca")
POSIX_NAMES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are not free bytes there")
HARD_NAMES = {
    "two\nlines.png": r"two\nlines.png",
    "red \x1b[31m.png": r"red \x1b[31m.png",
    "bell\a.png": r"bell\x07.png",
    "turned \u202egnp.exe.png": r"turned \u202egnp.exe.png",
    "caf\udce9.png": r"caf\xe9.png",
    "<script>alert(1).png": "<script>alert(1).png",
    'say "a, b".png': 'say "a, b".png',
    "山 café.png": "山 café.png",
}
# The C locale without Python's own rescue: text is ASCII and nothing else can be printed.
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "TERM": "dumb"}


def test_a_terminal_without_utf8_colours_or_width_gets_plain_ascii(own_run: Path, coterie: Command) -> None:
    shutil.move("photos", "山")
    spoil(Path("山"))
    Path("山/Ωμέγα.png").write_bytes(b"")
    for locale in (ASCII, {"LC_ALL": "C", "TERM": "dumb", "COLUMNS": "10"}):
        done = run_process("check", "山", environment=locale)
        assert done.code == 0, done.err
        assert "60 images, read as 12 x 12 grey" in done.out
        assert "\x1b" not in done.out + done.err
    plain = run_process("check", "山", environment=ASCII)
    assert plain.out.isascii()
    assert plain.err.isascii()
    done = run_process("check", "nowhere-山", environment=ASCII)
    assert done.code == 2
    assert done.err.isascii()


def test_a_whole_run_under_the_c_locale_writes_what_it_writes_elsewhere(own_run: Path, coterie: Command) -> None:
    shutil.move("photos/a/a00.png", "photos/a/00-山.png")
    assert coterie("cluster", "photos", "--out", "here", *QUICK).code == 0
    done = run_process("cluster", "photos", "--out", "plain", *QUICK, environment={"LC_ALL": "C", "TERM": "dumb"})
    assert (done.code, done.err) == (0, "")
    for name in ("assignments.csv", "embedding.npy", "map.npy"):
        assert Path("plain", name).read_bytes() == Path("here", name).read_bytes()


def test_a_reader_that_goes_away_ends_nothing(own_run: Path, coterie: Command) -> None:
    """`coterie cluster photos | head -1`: the run is finished all the same, without a word and with code 0."""
    process = python_process("-m", "coterie.cli.main", "cluster", "photos", "--out", "again", *QUICK)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"read 60 images")
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == b""
    assert process.wait(timeout=60) == 0
    assert coterie("view", "again", "--no-browser").code == 0


def test_output_that_is_closed_from_the_start_is_no_error(own_run: Path, coterie: Command) -> None:
    shell = f'"{sys.executable}" -m coterie.cli.main'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for line in (f"{shell} check photos >&-", f"{shell} check photos 2>&- >/dev/null", f"{shell} methods | true"):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], env=environment, capture_output=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, b""), line


def test_a_cache_that_cannot_be_written_is_a_note_and_stands_in_run_json(own_run: Path, coterie: Command) -> None:
    Path("file").write_text("no folder")
    nowhere = {name: str(Path("file/cache").absolute()) for name in ("COTERIE_CACHE", "NUMBA_CACHE_DIR")}
    done = run_process("cluster", "photos", "--method", "kmeans", "--out", "again", *QUICK, environment=nowhere)
    assert done.code == 0
    assert len(done.err.splitlines()) == 2
    assert all(line.startswith("note: ") and "cannot be written" in line for line in done.err.splitlines())
    assert [entry["kind"] for entry in info(Path("again"))["warnings"]] == ["SlowPathWarning"] * 2


def test_without_a_terminal_there_is_no_progress_bar(own_run: Path, coterie: Command) -> None:
    done = run_process("check", "photos", "--size", "13")
    assert (done.code, done.err) == (0, "")
    assert "\r" not in done.out


@POSIX_NAMES
def test_hard_names_are_shown_on_one_line_and_never_obeyed(coterie: Command) -> None:
    Path("images").mkdir()
    for number in range(10):
        Image.new("L", (12, 12), 20 * number).save(f"images/good-{number}.png")
    for name, shown in HARD_NAMES.items():
        Path("images", name).write_bytes(b"")
        done = coterie("check", "images")
        assert f"  {shown}: empty" in done.out.split("\n")
        done = coterie("check", Path("images", name))
        assert done.code == 2
        assert f"({shown}: empty)" in done.error
        Path("images", name).unlink()


@POSIX_NAMES
def test_hard_names_go_through_every_command(coterie: Command, own_run: Path) -> None:
    originals = sorted(Path("photos").glob("*/*.png"))
    for name, original in zip(HARD_NAMES, originals, strict=False):
        original.rename(Path("photos", name))
    assert coterie("cluster", "photos", "--out", "again", *QUICK).code == 0
    table = rows(Path("again/assignments.csv"))
    assert len(table) == 61
    assert "caf\\xe9.png" in {line[0] for line in table}
    assert coterie("predict", "again", "photos", "--out", "new.csv").code == 0
    assert [line[:2] for line in rows(Path("new.csv"))] == [line[:2] for line in table]
    classes = ["path,class"] + ['"' + line[0].replace('"', '""') + f'",{line[1]}' for line in table[1:]]
    Path("classes.csv").write_text("\n".join(classes), encoding="utf-8")
    done = coterie("evaluate", "again", "--classes", "classes.csv")
    assert "matched                   60" in done.out
    for options in ((), ("--copy",)):
        out = "links" if not options else "copies"
        assert coterie("export", "again", "--to", "folders", "--out", out, *options).code == 0
        exported = {os.fsencode(path.name) for path in Path(out).glob("*/*")}
        assert {os.fsencode(name) for name in HARD_NAMES} <= exported
    page = Path("again/page.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page


def test_a_folder_with_a_hard_name_can_be_grouped(coterie: Command, photos: Path) -> None:
    shutil.copytree(photos, "my\nphotos '<b>")
    done = coterie("cluster", "my\nphotos '<b>", *QUICK)
    assert done.code == 0
    assert r"my\nphotos '<b>-groups" in done.out.splitlines()[-1]
    assert coterie("export", "my\nphotos '<b>-groups", "--to", "folders").code == 0


def test_images_of_extreme_shapes_are_read_and_counted(coterie: Command, own_run: Path) -> None:
    Image.new("L", (1, 1), 9).save("photos/dot.png")
    Image.new("L", (1, 5000), 9).save("photos/line.png")
    done = coterie("cluster", "photos", "--out", "again", "--size", "12", *QUICK)
    assert done.code == 0
    assert "note: 1 image has one side more than 20 times the other" in done.err
    assert len(rows(Path("again/assignments.csv"))) == 63


INTERRUPTIBLE = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent's shell has set
from coterie.images import fill
first, plain = threading.Event(), fill.decode_quietly
def slow(*args):
    if not first.is_set():
        first.set()
        print("decoding", flush=True)
    threading.Event().wait(0.5)
    return plain(*args)
fill.decode_quietly = slow
from coterie.cli.main import main
sys.argv[0] = "coterie"
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("command", ["cluster", "check"])
def test_an_interrupt_while_images_are_read_ends_at_once_with_130(
    own_run: Path, coterie: Command, stores: Path, command: str
) -> None:
    size = {"cluster": "9", "check": "10"}[command]
    more = ("--out", "run", "--force", *QUICK) if command == "cluster" else ()
    before, kept = snapshot(Path()), {path.name for path in stores.rglob("*") if path.is_file()}
    process = python_process("-c", INTERRUPTIBLE, command, "photos", "--size", size, *more)
    assert process.stdout is not None
    assert process.stdout.readline() == b"decoding\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"")
    assert err == b"coterie: interrupted; run the same command again\n"
    assert snapshot(Path()).keys() == before.keys(), "nothing is left, and nothing is lost"
    assert {path.name for path in stores.rglob("*") if path.is_file()} == kept, "no half of a store"
    assert coterie(command, "photos", "--size", size, *more).code == 0


def test_a_run_folder_that_moved_alone_says_where_the_originals_are_missing(coterie: Command, own_run: Path) -> None:
    Path("far/away").mkdir(parents=True)
    own_run.rename("far/away/run")
    text = Path("far/away/run/run.json").read_text(encoding="utf-8")
    Path("far/away/run/run.json").write_text(text.replace('"source": "', '"source": "gone'), encoding="utf-8")
    assert coterie("view", "far/away/run", "--no-browser", "--rebuild").code == 0
    assert "was not found when it was written" in Path("far/away/run/page.html").read_text(encoding="utf-8")
    done = coterie("export", "far/away/run", "--to", "folders")
    assert done.code == 2
    assert done.error.startswith("the originals of far/away/run are no longer at gone")
