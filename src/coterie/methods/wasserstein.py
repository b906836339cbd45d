"""The losses of UDC as functions of tensors, for r runs at once: every loss is (r,), one number for each run.

A WGAN with gradient penalty (Gulrajani et al., NeurIPS 2017) and a classifier of generated images (Gan et al., IEEE
Trans. Cybernetics). Scores of a critic are (b, r, heads); it has one head, or the ten of the official code, whose mean
is the critic's value while the penalty acts on the gradient of their sum (udc.md section 4).
"""

from collections.abc import Callable

import torch
from torch import Tensor


def critic_loss(real: Tensor, fake: Tensor, penalty: Tensor, weight: float) -> Tensor:
    """L_D (r,), Eq. 5: of the scores ``real`` and ``fake`` (b, r, heads), and the gradient ``penalty`` (r,)."""
    return fake.mean((0, 2)) - real.mean((0, 2)) + weight * penalty


def gradient_penalty(gradient: Tensor) -> Tensor:
    """(r,): mean of (norm - 1)^2 of a ``gradient`` (b, r, *shape) with respect to images, the last term of Eq. 5."""
    norms = torch.linalg.vector_norm(gradient.flatten(2), dim=2)
    return ((norms - 1) ** 2).mean(0)


def interpolated(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """x^ (b, r, *shape): ``mix`` (b, r) of ``real`` and the rest of ``fake``, line 7 of Algorithm 1."""
    share = mix.reshape(*mix.shape, *[1] * (fake.ndim - 2))
    return share * real + (1 - share) * fake


def gradient_by_autograd(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """(b, r, *shape): the gradient of the sum of ``score(images)``, itself differentiable."""
    images = images.detach().requires_grad_()
    return torch.autograd.grad(score(images).sum(), images, create_graph=True)[0]


def classifier_loss(logits: Tensor, clusters: Tensor) -> Tensor:
    """L_C (r,), Eq. 6: cross entropy of ``logits`` (b, r, k) with the ``clusters`` (b, r) that were drawn."""
    said = logits.log_softmax(2).gather(2, clusters[..., None])
    return -said[..., 0].mean(0)


def generator_loss(fake: Tensor, entropy: Tensor, eta: float | Tensor) -> Tensor:
    """L_G (r,), Eq. 7: of the scores ``fake`` (b, r, heads) and ``entropy`` (r,), which is L_C."""
    return eta * entropy - fake.mean((0, 2))


def consistency_loss(clean: Tensor, changed: Tensor) -> Tensor:
    """(r,): KL(C(x) || C(T(x))) of the logits (b, r, k) of images and of their variants, which learn from the clean."""
    target = clean.detach().log_softmax(2)
    return (target.exp() * (target - changed.log_softmax(2))).sum(2).mean(0)


def eta_at(iteration: int, eta: float, gamma: float, tau: int) -> float:
    """The weight of the entropy at ``iteration``, from 0: times ``gamma`` every ``tau`` iterations.

    Line 29 of Algorithm 1 as printed would multiply at every iteration; the text and the code agree with this.
    """
    return float(eta * gamma ** (iteration // tau))
