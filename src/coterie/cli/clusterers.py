"""A clusterer from the options of the command line."""

from typing import Any

from coterie.cli.training_options import chosen_settings
from coterie.errors import ConfigError
from coterie.training.launched import n_launched


def make_clusterer(
    method: str, asked: dict[str, Any], given: dict[str, Any] | None = None, texts: list[str] | None = None
) -> Any:
    """The clusterer called ``method``, with those of the ``asked`` parameters that it has, and with all that were
    ``given`` or set by ``texts`` on purpose (see ``chosen_settings``); checked before any image is read.
    """
    model = _find_method(method)()
    own = model.get_params()
    if asked["n_clusters"] == "auto" and own["n_clusters"] != "auto":
        raise ConfigError(f"-k auto is not possible with --method {method}; give a whole number of at least 1")
    settings = {name: value for name, value in asked.items() if name in own}
    model.set_params(**settings | chosen_settings(method, own, given or {}, texts))
    model.check_parameters()
    if n_launched() > 1 and not model.several_processes:
        raise ConfigError(
            f"{n_launched()} processes were started, and --method {method} runs in one: start it without torchrun"
        )
    if trains(model):
        from coterie.training.device import make_fabric

        # refuses a device that is not there, and a precision it lacks
        make_fabric(model.device, model.precision, several_processes=model.several_processes)
    return model


def trains(model: Any) -> bool:
    """Whether ``model`` is of a deep method, which keeps what it has learned in a folder while it trains."""
    return "run_folder" in model.get_params()


def _find_method(method: str) -> Any:
    from coterie.classical import CLASSICAL
    from coterie.methods import METHODS

    if method in METHODS:
        return METHODS[method]
    if method in CLASSICAL:
        return CLASSICAL[method]
    raise ConfigError(f"--method {method!r} is not known; expected one of {', '.join([*CLASSICAL, *METHODS])}")
