"""How often each cluster is drawn: the same, as a person knows it to be, or as the classifier finds it on real images.

With equal shares no cluster is empty, but groups of unequal size cannot be what they are (UDC, section III-B).
"""

from collections.abc import Sequence

from torch import Tensor

from coterie.errors import ConfigError

UNIFORM, LEARNED = "uniform", "learned"
Prior = str | Sequence[float]
LEAST = 0.1  # of 1 / k that a learned share keeps, so that KL(uniform || p) is at most ln 10
RATE = 1e-3  # of what a batch says that enters a learned prior


def shares_of(prior: Prior, k: int) -> list[float]:
    """The k shares to start with. ``prior``: "uniform", "learned" (starts uniform), or k numbers above 0 that sum to 1,
    as a sequence or as text with commas. Raises ConfigError for anything else.
    """
    if isinstance(prior, str) and prior in (UNIFORM, LEARNED):
        return [1 / k] * k
    try:
        shares = [float(part) for part in (prior.split(",") if isinstance(prior, str) else prior)]
    except (TypeError, ValueError):
        raise ConfigError(f"prior is {prior!r}; expected uniform, learned, or a share for each cluster") from None
    if len(shares) != k or not all(0 < share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise ConfigError(f"prior is {prior!r}; expected {k} shares above 0 that sum to 1, one for each cluster")
    return shares


def drawn_clusters(uniform: Tensor, prior: Tensor) -> Tensor:
    """(..., r) int64: the cluster at each of ``uniform`` (..., r) in 0..1, when run i draws by ``prior`` (r, k)."""
    edges = prior.cumsum(1)
    k = prior.shape[1]
    return (uniform[..., None] >= edges).sum(-1).clamp_(max=k - 1)  # sums of shares may end just below 1


def followed(prior: Tensor, seen: Tensor) -> Tensor:
    """(r, k): ``prior`` after a step towards ``seen`` (r, k), the mean shares of a batch of real images."""
    k = prior.shape[1]
    least = LEAST / k
    moved = (1 - RATE) * prior + RATE * seen
    return least + (1 - LEAST) * (moved - least).clamp(min=0) / (moved - least).clamp(min=0).sum(1, keepdim=True)
