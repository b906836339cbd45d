"""The random numbers of UDC: each run draws what it would draw alone, and goes on where it was saved."""

import torch

from coterie.methods.run_draws import RunDraws

K, B, Z = 3, 6, 4


def test_a_run_without_noise_draws_what_it_would_draw_alone() -> None:
    beside = RunDraws((3, 4), [1 / K] * K, grain=(0.0, 0.5), shape=(1, 4, 4))
    alone = RunDraws((3,), [1 / K] * K, grain=(0.0,), shape=(1, 4, 4))
    for _ in range(2):
        one, other = beside.take(3, 2, (B, Z)), alone.take(3, 2, (B, Z))
        assert other.grain is None
        assert torch.equal(one.noise[:, :, :1], other.noise)
        assert torch.equal(one.mix[:, :, :1], other.mix)


def test_draws_go_on_where_they_were_saved() -> None:
    draws, again = (RunDraws((0, 1), [0.5, 0.5], grain=(0, 0.2), shape=(1, 3, 3)) for _ in range(2))
    draws.take(2, 2, (B, Z))
    draws.prior.copy_(torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    state = draws.state_dict()
    again.load_state_dict({**state, "prior": state["prior"].clone()})
    for one, other in zip(draws.take(1, 1, (B, Z))[:4], again.take(1, 1, (B, Z))[:4], strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)
