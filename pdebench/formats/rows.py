"""Problems and targets read from the variables of a file, on the grid that it states."""

from collections.abc import Mapping
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench.domain import Axis, Domain, Grid, Points
from pdebench.equation import Equation
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import DataError
from pdebench.formats.contents import SPACE, Contents
from pdebench.problem import Index, Problem
from pdebench.samples import Source


@final
class Rows(Source):
    """Problems and targets over the variables of a file.

    A file that stores the initial field apart gives it as input and all frames as target, as the
    suite's own evolutions do; others give their first frame as input as well.
    """

    def __init__(
        self,
        ready: Contents,
        described: Contents,
        parameters: Mapping[str, float],
        equation: Equation,
        frames: int | None,
        stride: int,
    ) -> None:
        self._ready, self._roles = ready, described.roles
        self._parameters, self._equation = parameters, equation
        self._frames, self._stride = slice(frames), slice(None, None, stride)
        self._timed = described.timed
        times = ready.coordinates.get("time")
        self._times = (
            torch.from_numpy(np.asarray(times[0], np.float64))[self._frames]
            if self._timed and times is not None
            else None
        )
        self._domain = None if self._roles.position else self._grid(described)

    def __len__(self) -> int:
        return self._ready.num_samples

    def _grid(self, described: Contents) -> Grid:
        axes = [a for a in SPACE if a in described.coordinates]
        axes = axes or [d for d in described.coordinates if d not in ("time", "channel")]
        flags = described.roles.periodic
        periodic = (flags,) * len(axes) if isinstance(flags, bool) else flags
        return Grid(
            tuple(
                _axis(np.asarray(described.coordinates[a][0])[self._stride], p, described.path)
                for a, p in zip(axes, periodic, strict=True)
            )
        )

    def _field(self, name: str, index: Index) -> Tensor:
        """Return a variable as (B, [T,] C, *S), float32."""
        variable = self._ready.variables[name]
        values = variable.array.rows(index)
        dims = list(variable.dims)
        channel = [d for d in dims if d == "channel" or d.startswith("component")]
        time = ["time"] if "time" in dims else []
        space = [d for d in dims if d not in ("sample", *time, *channel)]
        values = values.transpose([dims.index(d) for d in ("sample", *time, *channel, *space)])
        lead = 1 + len(time)
        keep = values.shape[:lead], values.shape[lead + len(channel) :]
        values = values.reshape(*keep[0], -1, *keep[1])
        if time:
            values = values[:, self._frames]
        if not self._roles.position:
            values = values[(..., *(self._stride,) * len(space))]
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    def _domain_of(self, index: Index) -> Domain:
        if self._domain is not None:
            return self._domain
        variable = self._ready.variables[str(self._roles.position)]
        order = [variable.dims.index(d) for d in ("sample", "point", "component")]
        points = variable.array.rows(index).transpose(order)
        if len(points) != 1:
            raise DataError("samples of varying geometry are read one at a time: use chunks()")
        return Points(torch.from_numpy(np.array(points[0], np.float64)))

    def problem(self, index: Index) -> Problem:
        domain, inputs = self._domain_of(index), {}
        # The field an evolution starts from comes first: questions take it from there.
        if isinstance(self._equation, Vorticity):
            inputs["vorticity"] = self._field(str(self._roles.initial), index)
        elif self._roles.initial is not None:
            inputs["state"] = self._field(self._roles.initial, index)
        elif self._timed:
            inputs["state"] = self._state(index)[:, 0]
        if self._roles.position:
            inputs["position"] = domain.points.T[None].float()
        inputs |= {name: self._field(name, index) for name in self._roles.given}
        size = len(next(iter(inputs.values())))
        parameters = {k: torch.full((size,), float(v)) for k, v in self._parameters.items()}
        for name in self._roles.parameters:
            values = self._ready.variables[name].array.rows(index)
            parameters[name] = torch.from_numpy(np.array(values, np.float32))
        return Problem(self._equation, domain, inputs, self._times, parameters=parameters)

    def _state(self, index: Index) -> Tensor:
        parts = [self._field(name, index) for name in self._roles.state]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2 if self._timed else 1)

    def target(self, index: Index) -> Tensor:
        return self._state(index)


def _axis(values: np.ndarray, periodic: bool, path: str) -> Axis:
    nodes = torch.from_numpy(np.ascontiguousarray(values, np.float64))
    steps = nodes.diff()
    if len(nodes) < 2 or bool((steps <= 0).any()):
        raise DataError(f"'{path}' has coordinates that do not increase; sort the axis")
    mean = float(steps.mean())
    uniform = float((steps - mean).abs().max()) < 1e-3 * mean  # float32 coordinates are rounded
    if periodic:
        if not uniform:
            raise DataError(f"'{path}' has a periodic axis with unequal spacing; resample it")
        return Axis.torus(len(nodes), mean * len(nodes), float(nodes[0]))
    if uniform and float(nodes[0]) != 0.0 and abs(float(nodes[0]) - mean / 2) < 1e-3 * mean:
        return Axis.cells(len(nodes), mean * len(nodes))
    return Axis.nodal(nodes)
