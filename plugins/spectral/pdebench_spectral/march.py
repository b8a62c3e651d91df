"""Time stepping between output times: which step, for which instance, until when."""

import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from pdebench.errors import Diverged
from pdebench_spectral.flow import Flow
from pdebench_spectral.scheme import Scheme, Step

_REVIEW = 10  # steps between looks at the velocity
_LONGEST = 0.1  # s, largest adaptive step: slow forced flows keep time errors below 1e-7
_ROUNDING = 1e-6  # relative; output times stored in float32 must not cost one more step


@final
@dataclass
class March:
    """A batch on its way through time; every instance takes the steps that it would take alone.

    Attributes:
        scheme: makes the steps.
        flow: tables of the discretisation.
        linear: L (b, X, M), b = 1 or the batch.
        step: fixed step, s; None for adaptive ones.
        cfl: adaptive step in units of 1 / max(|u|/dx + |v|/dy).
        start: time at the beginning, s, for messages; all other times count from it.
    """

    scheme: Scheme
    flow: Flow
    linear: Tensor
    step: float | None
    cfl: float
    start: float = 0.0
    _tables: tuple[float, Step] | None = field(default=None, repr=False)

    def advance(self, w: Tensor, now: float, until: float) -> Tensor:
        """Return the spectra (B, X, M) at ``until``, landing there exactly.

        Raises Diverged with the time of the first look at values that are not finite.
        """
        if until - now <= 1e-12 * max(abs(until), 1.0):
            return w
        if self.step is None:
            return self._adaptively(w, now, until)
        return self._evenly(w, now, until, self.step)

    def _evenly(self, w: Tensor, now: float, until: float, largest: float) -> Tensor:
        count = max(1, math.ceil((until - now) / largest * (1 - _ROUNDING)))
        size = (until - now) / count
        # Tables of one step size serve until it changes.
        if self._tables is None or not math.isclose(size, self._tables[0], rel_tol=1e-12):
            sizes = self.linear.new_full((1, 1, 1), size)
            self._tables = size, self.scheme.stepper(self.flow, self.linear, sizes)
        step = self._tables[1]
        for done in range(1, count + 1):
            w = step(w)
            if done % _REVIEW == 0 or done == count:
                self._look(w, torch.full((len(w),), now + done * size))
        return w

    def _adaptively(self, w: Tensor, now: float, until: float) -> Tensor:
        """Advance every instance by steps of its own, of one size until the next review.

        Instances are sorted by their number of steps until then: those under way are always the
        first ones, and those that arrived cost nothing.
        """
        out = torch.empty_like(w)
        todo = torch.arange(len(w), device=w.device)
        left = torch.full((len(w),), until - now, dtype=torch.float64, device=w.device)
        while len(todo):
            count = (left / self._largest(w) * (1 - _ROUNDING)).ceil().clamp(min=1)
            steps, order = count.clamp(max=_REVIEW).sort(descending=True, stable=True)
            todo, w, left, count = (x[order] for x in (todo, w, left, count))
            size = left / count
            linear = self.linear if len(self.linear) == 1 else self.linear[todo]
            step = self.scheme.stepper(self.flow, linear, size.view(-1, 1, 1))
            for done in range(int(steps[0])):
                active = int((steps > done).sum())
                w[:active] = step(w[:active])
            left = left - steps * size
            self._look(w, until - left)
            arrived = steps == count
            out[todo[arrived]] = w[arrived]
            todo, w, left = (x[~arrived] for x in (todo, w, left))
        return out

    def _largest(self, w: Tensor) -> Tensor:
        """Return the largest steps (B,), s, that stay within the CFL number until the next review.

        h (r + h r_f m) = cfl, r = max(|u|/dx + |v|/dy) now, r_f that of the velocity which the
        forcing alone adds in a second, m steps until the review: a flow may start from rest.
        """
        rate = self.flow.rate(w).double()
        gain = 0.0 if self.flow.forcing is None else self.flow.rate(self.flow.forcing).double()
        root = (rate.square() + 4 * self.cfl * _REVIEW * gain).sqrt()
        return (2 * self.cfl / (rate + root)).clamp(max=_LONGEST)

    def _look(self, w: Tensor, now: Tensor) -> None:
        finite = torch.isfinite(torch.view_as_real(w)).flatten(1).all(1)
        if not bool(finite.all()):
            time = self.start + float(now.to(w.device)[~finite].min())
            remedy = "cfl" if self.step is None else "step"
            raise Diverged(f"spectral blew up by t={time:g}; use a smaller {remedy} or finer grid")
