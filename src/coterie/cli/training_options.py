"""Options of the methods that train, and any other setting by name; a setting that a method lacks is an error."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from coterie.errors import ConfigError

Epochs = Annotated[int | None, typer.Option(help="Deep methods: times every image is trained on.", min=1)]
BatchSize = Annotated[int | None, typer.Option(help="Deep methods: images in a training step.", min=1)]
LearningRate = Annotated[float | None, typer.Option("--lr", help="Deep methods: the learning rate.")]
Precision = Annotated[str | None, typer.Option(help="Deep methods: 32, bf16, or 16 (on GPUs only).")]
Assign = Annotated[str | None, typer.Option(help="Deep methods: which of its answers the run gives.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any parameter of the method, by its name; may be repeated."),
]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Deep methods: write figures for TensorBoard too.")]

PARAMETERS = {"neighbors": "n_neighbors"}  # option -> parameter, where they differ
# Parameters that --set does not take, and what to do instead.
ELSEWHERE = {
    "n_clusters": "give -k instead",
    "random_state": "give --seed instead",
    "device": "give --device instead",
    "features": "give --features instead",
    "tensorboard": "give --tensorboard instead",
    "run_folder": "give --out instead",
    "progress": "the command sets it itself",
}
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def chosen_settings(
    method: str, own: Mapping[str, Any], given: Mapping[str, Any], texts: Iterable[str] | None
) -> dict[str, Any]:
    """The settings that were given on purpose, by parameter.

    own: the method's parameters with their defaults. given: values of options by their names, None where one was not
    given. texts: NAME=VALUE each, VALUE being read as the kind that the default is of.

    Raises ConfigError for a setting that the method lacks, one given twice, and a value of another kind.
    """
    settings = {}
    for option, value in given.items():
        name = PARAMETERS.get(option, option)
        if value is not None and name not in own:
            flag = option.replace("_", "-")
            raise ConfigError(f"--{flag} is not an option of --method {method}, which has {_listed(own)}")
        if value is not None:
            settings[name] = value
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--set {text!r} is not a setting; give NAME=VALUE such as epochs=20")
        name = name.strip()
        _check_name(method, name, own)
        if name in settings:
            raise ConfigError(f"{name} is given twice; give it once")
        settings[name] = typed(name, value.strip(), own[name])
    return settings


def typed(name: str, text: str, default: Any) -> Any:
    """``text`` as the kind of value that ``default`` is: truth, number, text, or a list of them.

    Where the default is None or auto, or a whole number, any number will do, and numbers with commas for a number: the
    method says which it takes.
    """
    if isinstance(default, bool):
        return _truth(name, text)
    if isinstance(default, tuple | list):
        example = default[0] if default else None
        return type(default)(typed(name, part.strip(), example) for part in text.split(",") if part.strip())
    if default is None and text.lower() == "none":
        return None
    number = _number(text)
    if "," in text and all(_number(part) is not None for part in text.split(",")):
        return text
    if isinstance(default, int | float) and number is None:
        raise ConfigError(f"--set {name}={text!r}: {name} is a number, {default!r} by default")
    if isinstance(default, float) and number is not None:
        return float(number)
    may_be_number = default in (None, "auto") or isinstance(default, int)
    return number if may_be_number and number is not None else text


def _check_name(method: str, name: str, own: Mapping[str, Any]) -> None:
    if name in ELSEWHERE:
        raise ConfigError(f"--set does not take {name}: {ELSEWHERE[name]}")
    if name not in own:
        raise ConfigError(f"{name} is not a parameter of --method {method}, which has {_listed(own)}")


def _listed(own: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={default!r}" for name, default in own.items() if name not in ELSEWHERE)


def _truth(name: str, text: str) -> bool:
    if text.lower() not in TRUTH:
        raise ConfigError(f"--set {name}={text!r}: {name} is true or false")
    return TRUTH[text.lower()]


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
