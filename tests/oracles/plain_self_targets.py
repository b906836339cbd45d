"""GATCluster's targets and losses pair by pair and number by number, straight from gatcluster.md section 4."""

from math import exp, log, sqrt

import numpy as np

EPS = 1e-5


def sim_target(q: np.ndarray) -> np.ndarray:
    m, k = q.shape
    out = np.zeros((m, k))
    for i in range(m):
        row = [q[i, h] / (sum(q[:, h]) + EPS) for h in range(k)]
        for h in range(k):
            out[i, h] = row[h] / (sum(row) + EPS)
    return out


def att_target(q: np.ndarray) -> np.ndarray:
    m, k = q.shape
    out = np.zeros((m, k))
    for i in range(m):
        row = [q[i, h] ** 2 / (sum(q[:, h]) + EPS) for h in range(k)]
        for h in range(k):
            out[i, h] = row[h] / (sum(row) + EPS)
    return out


def sim_loss(label: np.ndarray, target: np.ndarray) -> float:
    b = len(label)
    return -sum(label[i, h] * target[i, h] for i in range(b) for h in range(label.shape[1])) / b


def rel_loss(label: np.ndarray, groups: np.ndarray, eps: float = EPS) -> float:
    b = len(label)
    y = [label[i] / (sqrt(sum(label[i] ** 2)) + eps) for i in range(b)]
    total, pairs = 0.0, 0
    for i in range(b):
        for j in range(i + 1):
            s = min(max(float(sum(y[i] * y[j])), 0.0), 1.0)
            total += bce(s, float(groups[i] == groups[j]))
            pairs += 1
    assert pairs == b * (b + 1) // 2
    return total / pairs


def ent_loss(label: np.ndarray) -> float:
    found = 0.0
    for h in range(label.shape[1]):
        p = max(sum(label[:, h]) / len(label), EPS)
        found += p * log(p)
    return found


def att_loss(attended: np.ndarray, target: np.ndarray) -> float:
    b, k = attended.shape
    return sum(bce(attended[i, h], target[i, h]) for i in range(b) for h in range(k)) / (b * k)


def bce(p: float, t: float) -> float:
    """As torch has it: logarithms end at -100."""
    log_p = log(p) if p > 0 else -np.inf
    log_not = log(1 - p) if p < 1 else -np.inf
    return -(t * max(log_p, -100.0) + (1 - t) * max(log_not, -100.0))


def gaussian(theta: list[float], h: int, w: int, form: str) -> np.ndarray:
    lam, out = 0.05, np.zeros((h, w))
    for r in range(h):
        for q in range(w):
            c_r, c_q = r / (h - 1), q / (w - 1)
            if form == "anisotropic":
                u, v = (c_r - theta[0]) / (theta[2] + EPS), (c_q - theta[1]) / (theta[3] + EPS)
                rho = theta[4] / 2
                out[r, q] = exp(-(u * u - 2 * rho * u * v + v * v) / (2 * lam * (1 - rho * rho)))
                continue
            mu_q = theta[2] if form == "compat_theta" else theta[1]
            away = (c_r - theta[0]) ** 2 + (c_q - mu_q) ** 2
            out[r, q] = exp(-away / (2 * lam * theta[2] + EPS))
    return out
