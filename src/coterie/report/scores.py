"""What each score means, in a sentence for a person who sees it for the first time."""

from typing import Any

ACCURACY = "The share of images in the right group, when groups and classes are paired off as well as possible."
NMI = "How much knowing the group tells about the class: 0 nothing, 1 everything."
PURITY = "The share of images whose class is the most frequent one in their group; rises with more groups."

# key in run.json -> (name, meaning)
MEANINGS = {
    "accuracy": ("Accuracy (ACC)", ACCURACY),
    "nmi_geometric": ("NMI (geometric mean)", NMI),
    "nmi_arithmetic": ("NMI (arithmetic mean)", "The same, divided by the arithmetic mean of the two entropies."),
    "ari": ("Adjusted Rand index (ARI)", "Agreement on which images belong together: 0 as by chance, 1 perfect."),
    "purity": ("Purity", PURITY),
    "bcubed_precision": ("BCubed precision", "For an average image: the share of its group that is of its class."),
    "bcubed_recall": ("BCubed recall", "For an average image: the share of its class that is in its group."),
    "bcubed_f": ("BCubed F", "Precision and recall of BCubed in one figure (their harmonic mean)."),
    "uniformity_index": ("Uniformity of the groups", "How even the sizes of the groups are: the uniformity index."),
    "uniformity_index_classes": ("Uniformity of the classes", "The same for the known classes."),
    "matched": ("Images with a known class", "The scores were computed on these."),
    "without_class": ("Images without a known class", "They count in no score."),
    "unused_rows": ("Rows of the classes unused", "They name no image of this run."),
}


def score_rows(scores: Any) -> list[dict[str, str]]:
    """``name``, ``value`` and ``meaning`` of each score in run.json; a score we do not know keeps its own name."""
    if not isinstance(scores, dict):
        return []
    rows = []
    for key, value in _leaves(scores):
        name, meaning = MEANINGS.get(key.lower().replace(".", "_").replace(" ", "_"), (key, ""))
        rows.append({"name": name, "value": _written(value), "meaning": meaning})
    return rows


def _leaves(scores: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in scores.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        leaves += _leaves(value, path) if isinstance(value, dict) else [(path, value)]
    return leaves


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
