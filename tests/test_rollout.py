"""Rollouts: the sliding window, blow-up, blocks of a space-time network, memory."""

import pytest
import torch
from torch import Tensor, nn

from pdebench.domain import Grid
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import ConfigError, Diverged
from pdebench.learning import Rollout, SpaceTime
from pdebench.problem import Problem


class Recurrence(nn.Module):
    """u_{n+1} = a u_n + b u_{n-1} on the last two frames of a window of any length."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x[:, -1:] + self.b * x[:, -2:-1]


def problem(given: int, steps: int, grid: int = 4) -> Problem:
    frames = torch.randn(2, given, 1, grid, grid, generator=torch.Generator().manual_seed(0))
    times = torch.arange(given + steps, dtype=torch.float64)
    return Problem(
        Vorticity(),
        Grid.torus((grid, grid)),
        {"vorticity": frames},
        times=times[given:],
        history=times[:given],
    )


@pytest.mark.parametrize("block", [1, 4, 5, 13, 99])
@pytest.mark.parametrize("given", [2, 3, 5])
@pytest.mark.parametrize("increment", [False, True])
def test_window_slides_as_the_recurrence_says(given: int, increment: bool, block: int) -> None:
    asked, form = problem(given, 13), Rollout(increment=increment)
    net = Recurrence(0.5, -0.3)
    with torch.no_grad():
        got = form.predict(net, asked)
        pieces = [piece.clone() for piece in form.stream(net, asked, block)]
    frames = list(asked.input.unbind(1))
    for _ in range(13):
        change = net(torch.cat(frames[-given:], 1))
        frames.append(frames[-1] + change if increment else change)
    assert torch.equal(got, torch.stack(frames[given:], 1))
    assert torch.equal(got, torch.cat(pieces, 1))
    assert torch.equal(got, form.predict(net, asked))  # with gradients: another path


def test_marching_needs_no_memory_of_the_past() -> None:
    """The window is a view into one block or the seam before it: the network sees no more places
    than the two have.
    """
    seen: set[int] = set()

    class Watching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.add(x.data_ptr())
            return 0.9 * x[:, -1:]

    with torch.no_grad():
        blocks = [b.shape[1] for b in Rollout().stream(Watching(), problem(3, 500), 8)]
    assert sum(blocks) == 500 and set(blocks) == {8, 4}
    assert len(seen) == 8


def test_blow_up_is_told_with_its_time() -> None:
    with torch.no_grad(), pytest.raises(Diverged, match=r"left finite numbers at t=6, 2 of 2"):
        Rollout().predict(Recurrence(1e9, 0.0), problem(2, 100))


def test_long_answers_come_block_by_block() -> None:
    """A space-time network that adds n + 1 to the last frame at its n-th frame counts on."""

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, -1:] + torch.arange(1.0, x.shape[-1] + 1)

    asked = problem(2, 11)
    got = SpaceTime(block=4).predict(Counting(), asked)
    expected = asked.input[:, -1:] + torch.arange(1.0, 12.0).view(1, -1, 1, 1, 1)
    assert torch.allclose(got, expected)
    assert torch.equal(
        SpaceTime().predict(Counting(), asked), SpaceTime(11).predict(Counting(), asked)
    )


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match=r"solver\.form\.block=0"):
        SpaceTime(block=0)
    with torch.no_grad(), pytest.raises(ConfigError, match=r"solver\.form\.graph=true needs"):
        Rollout(graph=True).predict(Recurrence(1.0, 0.0), problem(2, 3))


@pytest.mark.gpu
def test_graph_replays_what_the_network_computes() -> None:
    asked, net = problem(2, 20, 32).to("cuda"), nn.Conv2d(2, 1, 3, padding=1).cuda()
    with torch.no_grad():
        plain, replayed = (Rollout(graph=g).predict(net, asked) for g in (False, True))
    assert torch.allclose(plain, replayed, atol=1e-5)
