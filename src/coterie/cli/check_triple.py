"""`coterie check-triple`: whether an ACC, an NMI and an ARI can be those of one grouping."""

from typing import Annotated

import typer

from coterie.cli.terminal import say
from coterie.errors import ConfigError

IMPOSSIBLE = 1  # the exit code


def check_triple(
    acc: Annotated[str, typer.Option(help="The ACC as printed, a share: .984; its decimals are its rounding.")],
    n_clusters: Annotated[int, typer.Option("--n-clusters", "-k", help="How many classes, and at most clusters.")],
    nmi: Annotated[str | None, typer.Option(help="The NMI as printed, by either mean.")] = None,
    ari: Annotated[str | None, typer.Option(help="The ARI as printed.")] = None,
    n_per_class: Annotated[
        int | None, typer.Option("--n-per-class", "-n", help="Images of each class; very many when absent.")
    ] = None,
) -> None:
    """Say whether one grouping of classes of equal size can have these scores; exit code 1 if none can.

    What is impossible is proved to be. What is possible by these bounds may still be wrong.
    """
    from coterie.metrics import check_triple as check

    if n_clusters < 2:
        raise ConfigError(f"-k is {n_clusters}; expected at least 2 classes")
    given = {"acc": acc, "nmi": nmi, "ari": ari}
    printed = {name: _share(text, name) for name, text in given.items() if text is not None}
    rounding = {name: unit / 2 for name, (_, unit) in printed.items()}
    values = {name: value for name, (value, _) in printed.items()}
    found = check(**values, k=n_clusters, n_per_class=n_per_class, rounding=rounding)
    if found.ari_range is not None:
        low, high = found.ari_range
        say(
            f"with an ACC of exactly {acc} and {n_clusters} balanced classes: ARI {low:.4f} to {high:.4f}, "
            f"NMI at least {found.nmi_minimum:.4f}"
        )
    for reason in found.reasons:
        say(f"impossible: {reason}")
    if not found.feasible:
        raise typer.Exit(IMPOSSIBLE)
    say("possible: no bound is broken, rounding included")


def _share(text: str, name: str) -> tuple[float, float]:
    """The number, and one unit of its last decimal."""
    try:
        value = float(text)
    except ValueError as error:
        raise ConfigError(f"--{name} is {text!r}; expected a share such as .984") from error
    decimals = text.strip().partition(".")[2]
    return value, 10.0 ** -max(len(decimals), 1) if decimals.isdecimal() else 1e-9
