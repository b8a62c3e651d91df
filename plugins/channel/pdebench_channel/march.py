"""Time stepping of the state between output times."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from pdebench.errors import Diverged
from pdebench_channel.flow import Flow
from pdebench_channel.modes import times
from pdebench_channel.operators import GAMMA, STABLE, ZETA, Stages, stages

_REVIEW = 20  # steps between looks at the velocity
_ROUNDING = 1e-6  # relative; output times stored in float32 must not cost one more step
_KEPT = 4  # step sizes whose tables are kept: output times are seldom spaced in more ways


@final
@dataclass
class March:
    """Flows of one viscosity on their way through time, with a step shared by the batch.

        x' = E_s x + C_s (gamma_s r + zeta_s r_before),    s = 1, 2, 3    (see `operators.stages`)

    Attributes:
        flow: rates of the state.
        viscosity: nu, length^2/s.
        gradient: G, length/s^2; None keeps the flux of the state that starts.
        step: fixed step, s; None for adaptive ones.
        cfl: adaptive step in units of the stability limit.
    """

    flow: Flow
    viscosity: float
    gradient: float | None
    step: float | None
    cfl: float
    _tables: dict[float, Stages] = field(default_factory=dict, repr=False)
    _flux: Tensor | None = field(default=None, repr=False)

    def run(self, state: Tensor, waits: Sequence[float], start: float = 0.0) -> Iterator[Tensor]:
        """Yield the state at every time of ``waits``, counted from now and increasing.

        Raises Diverged with the time of the first look at values that are not finite.
        """
        if self.gradient is None:
            self._flux = self._bulk(state)
        now = 0.0
        for until in waits:
            while until - now > 1e-12 * max(abs(until), 1.0):
                largest = self.step or self._largest(state)
                count = max(1, math.ceil((until - now) / largest * (1 - _ROUNDING)))
                tables = self.tables((until - now) / count)
                for _ in range(min(count, _REVIEW)):
                    state = self.advance(state, tables)
                    now += tables.size
                if not bool(torch.isfinite(torch.view_as_real(state)).all()):
                    remedy = "step" if self.step else "cfl"
                    raise Diverged(
                        f"channel blew up by t={start + now:g}; use a smaller {remedy} or a finer "
                        "grid"
                    )
            yield state

    def tables(self, size: float) -> Stages:
        """Return the substeps of a step size, kept for the next time."""
        for known, found in self._tables.items():
            if math.isclose(known, size, rel_tol=1e-9):
                return found
        if len(self._tables) >= _KEPT:
            del self._tables[next(iter(self._tables))]
        square = self.flow.modes.square[..., 0, 0, 0]
        self._tables[size] = stages(self.flow.wall, square, self.viscosity, size)
        return self._tables[size]

    def advance(self, state: Tensor, tables: Stages) -> Tensor:
        """Return the state one step later."""
        before: Tensor | None = None
        for stage, table in enumerate(tables.tables):
            rate, _ = self.flow.rates(state, self.gradient or 0.0)
            mixed = GAMMA[stage] * rate
            if before is not None:
                mixed = mixed + ZETA[stage] * before
            state = times(table, torch.cat([state, mixed], dim=-3))
            before = rate
            if self._flux is not None:
                state = self._driven(state, tables.response[stage], self._flux)
        return state

    def _bulk(self, state: Tensor) -> Tensor:
        """Return the bulk velocity (B,): the mean of u over the channel."""
        return self.flow.wall.weights[1:-1] @ state[1, 0, 0, :, 0].real

    def _driven(self, state: Tensor, response: Tensor, flux: Tensor) -> Tensor:
        """Add the pressure gradient that restores the flux."""
        missing = flux - self._bulk(state)
        gain = self.flow.wall.weights[1:-1] @ response
        state[1, 0, 0, :, 0] += response[:, None] * (missing / gain)
        return state

    def _largest(self, state: Tensor) -> float:
        """Return the step at the CFL number: h max(k_x |u| + |v| / dy + k_z |w|) = cfl 3^{1/2}."""
        modes, wall = self.flow.modes, self.flow.wall
        u, v, w = modes.inverse(self.flow.velocity(state), modes.padded).abs().unbind(1)
        cell = wall.axis.weights.to(u.device).view(-1, 1, 1)
        rate = u * modes.kx.max() + v / cell + w * modes.kz.max()
        return self.cfl * STABLE / max(float(rate.max()), 1e-12)
