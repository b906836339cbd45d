"""What DAC's parameters are when they are "auto": by the paper, or by the released scripts (dac.md 1 and 2)."""

from typing import Any

from coterie.methods.pairs import PAPER_EPOCHS, PAPER_STEP, Thresholds, moved, paper_thresholds

THRESHOLDS = ("upper_from", "upper_to", "lower_from", "lower_to")

_START, _END = paper_thresholds(0.0), paper_thresholds(PAPER_EPOCHS * PAPER_STEP)
# released: cifar10_1, and the lower threshold of cifar10_2, which counts where pairs="sure" asks for one
VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {
        "pairs": "sure", "auxiliary": 0.0, "upper_from": _START.upper, "upper_to": _END.upper,
        "lower_from": _START.lower, "lower_to": _END.lower,
    },
    "released": {
        "pairs": "all", "auxiliary": 10.0, "upper_from": 0.99, "upper_to": 0.75, "lower_from": 0.8, "lower_to": 0.895,
    },
}  # fmt: skip


def resolved(variant: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a variant decides, with those of ``given`` that are not "auto"."""
    return {
        name: meant if isinstance(given[name], str) and given[name] == "auto" else given[name]
        for name, meant in VARIANTS[variant].items()
    }


def thresholds_at(share: float, settings: dict[str, Any]) -> Thresholds:
    """u and l when ``share`` (0 to 1) of the training is done; l is u where pairs="all", which leaves no pair out."""
    upper_from, upper_to, lower_from, lower_to = (float(settings[name]) for name in THRESHOLDS)
    found = moved(Thresholds(upper_from, lower_from), Thresholds(upper_to, lower_to), share)
    return found if settings["pairs"] == "sure" else Thresholds(found.upper, found.upper)
