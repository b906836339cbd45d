"""Several networks as one."""

import torch

from coterie.nets.conv_stack import ConvStack
from coterie.nets.ensemble import Ensemble


def test_embeddings_stand_side_by_side_and_keep_their_length() -> None:
    members = [ConvStack((1, 9, 9)) for _ in range(3)]
    images = torch.rand(4, 1, 9, 9)
    together = Ensemble(members).eval()
    with torch.no_grad():
        rows, alone = together(images), [member(images) for member in members]
    assert rows.shape == (4, 480)
    assert torch.allclose(rows.norm(dim=1), torch.ones(4))
    assert torch.allclose(rows * 3**0.5, torch.cat(alone, dim=1), atol=1e-6)


def test_a_squared_distance_is_the_mean_of_those_of_the_networks() -> None:
    members = [ConvStack((1, 9, 9)) for _ in range(4)]
    images = torch.rand(5, 1, 9, 9)
    together = Ensemble(members).eval()
    with torch.no_grad():
        found = torch.cdist(together(images), together(images)).square()
        mean = torch.stack([torch.cdist(m(images), m(images)).square() for m in members]).mean(0)
    assert torch.allclose(found, mean, atol=1e-5)


def test_its_weights_are_those_of_its_members() -> None:
    members = [ConvStack((1, 9, 9)) for _ in range(2)]
    names = Ensemble(members).state_dict()
    assert set(names) == {f"members.{i}.{name}" for i in range(2) for name in members[0].state_dict()}
