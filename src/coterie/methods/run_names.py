"""How the answers of a method are called that trains several times: those of the trainings that were not chosen."""

OTHER_RUN, OTHER_LINKAGE = "run-", "linkage-of-run-"


def head_of(run: int) -> str:
    """What the classifier of ``run``, from 0, says of the images."""
    return f"{OTHER_RUN}{run + 1}"


def linkage_of(run: int) -> str:
    """What the linkage makes of the features of ``run``, from 0."""
    return f"{OTHER_LINKAGE}{run + 1}"
