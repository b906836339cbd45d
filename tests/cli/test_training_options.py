"""Options of deep methods, and --set: what they accept, and that nothing given on purpose is ignored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.runner import Done, info
from cli.toy_method import register
from coterie.cli.training_options import chosen_settings, typed
from coterie.errors import ConfigError

Command = Callable[..., Done]
TOY = ("--method", "toy", "-k", "3", "--map", "pca")


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("20", 1, 20),
        ("0.5", 1, 0.5),  # the method says that it wants a whole number
        ("1e-3", 0.1, 1e-3),
        ("2", 0.1, 2.0),
        ("yes", False, True),
        ("False", True, False),
        ("bf16", "32", "bf16"),
        ("16", "32", "16"),
        ("20", "auto", 20),
        ("auto", "auto", "auto"),
        ("none", None, None),
        ("4,8", 32, "4,8"),  # the method says whether it takes several
        ("1, 10", "auto", "1, 10"),
        ("7", None, 7),
        ("local", None, "local"),
        ("50, 20", (8,), (50, 20)),
        ("", (8,), ()),
        ("0.5,x", [], [0.5, "x"]),
    ],
)
def test_a_value_is_read_as_the_kind_its_default_is(text: str, default: Any, value: Any) -> None:
    found = typed("name", text, default)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "default"), [("many", 3), ("many", 0.5), ("maybe", True), ("1,x", (1,)), ("none", 3)])
def test_a_value_of_another_kind_is_refused_with_the_name(text: str, default: Any) -> None:
    with pytest.raises(ConfigError, match=r"^--set width="):
        typed("width", text, default)


# Each is refused with exit code 2 before any image is read or any folder made.
REFUSED = {
    (
        "--method",
        "kmeans",
        "--epochs",
        "3",
    ): "--epochs is not an option of --method kmeans, which has init='k-means++', n_init=10",
    (
        "--method",
        "kmeans",
        "--batch-size",
        "3",
    ): "--batch-size is not an option of --method kmeans",
    ("--method", "kmeans", "--scale", "local"): "--scale is not an option of --method kmeans",
    ("--method", "kmeans", "--tensorboard"): "--tensorboard is not an option of --method kmeans",
    ("--method", "gdl", "--lr", "0.1"): "--lr is not an option of --method gdl, which has a=1.0, affinity=",
    ("--features", "pixels"): "--features is not an option of --method toy, which has assign='auto', batch_size=16",
    ("--neighbors", "5"): "--neighbors is not an option of --method toy",
    ("--set", "depth=3"): "depth is not a parameter of --method toy, which has assign='auto', batch_size=16, epochs=3",
    ("--set", "width"): "--set 'width' is not a setting; give NAME=VALUE such as epochs=20",
    ("--set", "=3"): "--set '=3' is not a setting; give NAME=VALUE such as epochs=20",
    ("--set", "width=wide"): "--set width='wide': width is a number, 6 by default",
    ("--set", "width=2.5"): "width is 2.5; expected a whole number of at least 1",
    ("--set", "shuffle=perhaps"): "--set shuffle='perhaps': shuffle is true or false",
    ("--set", "width=4", "--set", "width=5"): "width is given twice; give it once",
    ("--epochs", "4", "--set", "epochs=5"): "epochs is given twice; give it once",
    ("--set", "n_clusters=4"): "--set does not take n_clusters: give -k instead",
    ("--set", "random_state=4"): "--set does not take random_state: give --seed instead",
    ("--set", "run_folder=elsewhere"): "--set does not take run_folder: give --out instead",
    ("--set", "progress=no"): "--set does not take progress: the command sets it itself",
    ("--assign", "magic"): "assign is 'magic'; expected one of auto, head, linkage",
    ("--precision", "64"): "precision='64' is unknown: give one of 32, bf16, 16.",
    ("--precision", "16", "--device", "cpu"): "precision 16 does not train on a CPU: use bf16 or 32.",
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.items(), ids=[" ".join(arguments) for arguments in REFUSED])
def test_a_setting_that_cannot_be_met_is_refused_and_never_ignored(
    coterie: Command, photos: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = coterie("cluster", photos, *TOY, *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(sentence)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("arguments", [("--epochs", "0"), ("--batch-size", "many"), ("--lr", "fast")])
def test_a_number_that_is_none_is_wrong_usage(coterie: Command, photos: Path, arguments: tuple[str, str]) -> None:
    done = coterie("cluster", photos, *TOY, *arguments)
    assert done.code == 2
    assert f"Invalid value for '{arguments[0]}'" in done.err


def test_every_option_reaches_the_method_and_run_json(coterie: Command, photos: Path) -> None:
    options = ("--epochs", "2", "--batch-size", "20", "--lr", "0.1", "--precision", "bf16", "--assign", "linkage")
    more = ("--set", "width=4", "--set", "layers=5,4", "--set", "limit=9", "--set", "shuffle=no", "--seed", "7")
    done = coterie("cluster", photos, *TOY, *options, *more, "--out", "run", "--device", "cpu")
    assert done.code == 0, done.err
    expected = {
        "n_clusters": 3, "epochs": 2, "batch_size": 20, "lr": 0.1, "precision": "bf16", "assign": "linkage",
        "width": 4, "layers": [5, 4], "limit": 9, "shuffle": False, "random_state": 7, "seed": 7, "device": "cpu",
        "margin": 0.2, "map": "pca",
    }  # fmt: skip
    assert info(Path("run"))["config"] == expected


def test_set_works_for_methods_that_do_not_train(coterie: Command, photos: Path) -> None:
    quick = ("--method", "kmeans", "-k", "3", "--map", "pca")
    assert coterie("cluster", photos, *quick, "--set", "n_init=2", "--out", "run").code == 0
    assert info(Path("run"))["config"]["n_init"] == 2


def test_what_was_not_given_is_left_to_the_method() -> None:
    given = {"epochs": None, "neighbors": None, "lr": None}
    assert chosen_settings("toy", {"epochs": 5}, given, None) == {}
    assert chosen_settings("jule", {"n_neighbors": 20}, {"neighbors": "auto"}, []) == {"n_neighbors": "auto"}
