"""Operators trained on the residual of the equation as solvers of the suite."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor, nn

from pdebench.domain import Grid
from pdebench.equations.closures import Closure
from pdebench.errors import ConfigError, Unsupported
from pdebench.learning import LearnedSolver, Scaled, Sizes, Training
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Use
from pdebench_lesnets.block import Block
from pdebench_lesnets.coefficient import Closed, Coefficient, Parabola, parabola
from pdebench_lesnets.disclosure import disclosed
from pdebench_lesnets.online import Online
from pdebench_lesnets.physics import Physics
from pdebench_lesnets.released import Program

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class LESnets(LearnedSolver):
    """An operator over space and time that learns from the equation, from labels, or from both.

        loss = r sum_c w_c <R_c^2>  +  g |u - y| / |y|,     R = the task's residual, channel c

    over the frames of one block, the given field the first of them, so that the initial condition
    holds by construction. Zhao et al., J. Comput. Phys. 537 (2025) 114125, with g = 0; with g > 0
    PINO (Li et al., arXiv 2111.03794) and the mixed runs of the former. The residual is
    `pdebench.equation.Equation.residual` of the task's own equation, with a closure where the
    equation is filtered.

    Args:
        architecture: takes ``in_channels`` and ``out_channels`` and returns a network
            (B, C_in, *S, T) -> (B, C_out, *S, T).
        frames: T of a block; None for the whole horizon.
        increment: whether the network gives the change since the field it started from.
        closure: takes ``width`` and returns a closure for a filtered equation; None for none.
        cells: filter width in cells of the task's grid.
        residual: r, weight of the residual.
        channels: w_c, one per channel of the residual; None for ones. For velocities in d
            dimensions: 1/d for each momentum, 1 for continuity, as published.
        labels: g; 0 withholds every target.
        coefficient: finds Smagorinsky's coefficient from labelled trajectories, which ``uses`` then
            says; None for the closure's own.
        program: a released residual in place of the task's, mistakes and all; None for the task's.
        online: goes on learning from the residual of every instance, inside ``solve``; None for
            one pass.
        training: optimiser, schedule, batch size; its loss is the labelled one.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        frames: int | None = None,
        increment: bool = False,
        closure: Callable[..., Closure] | None = None,
        cells: float = 1.0,
        residual: float = 1.0,
        channels: Sequence[float] | None = None,
        labels: float = 0.0,
        coefficient: Coefficient | None = None,
        program: Callable[..., Program] | None = None,
        online: Online | None = None,
        training: Training | None = None,
    ) -> None:
        if residual < 0 or labels < 0 or residual + labels == 0:
            raise ConfigError(
                f"solver.residual={residual}, solver.labels={labels}, expected weights of which "
                "neither is negative and one is positive"
            )
        super().__init__(Block(frames, increment), training)
        self.physics = Physics(closure, cells, channels, program)
        if coefficient is not None:
            self.physics.check_learned()
        self._architecture, self.coefficient, self.online = architecture, coefficient, online
        self.weights = (residual, labels)
        self._misfit: Parabola | None = None
        self._filter = ""
        uses: set[Use] = set()
        if labels > 0 or coefficient is not None:
            uses.add("labels")
        if residual > 0 or coefficient is not None or online is not None:
            uses.add("equation")
        self.uses = frozenset(uses)  # pyright: ignore[reportAttributeAccessIssue]

    def network(self, sizes: Sizes) -> nn.Module:
        made = self._architecture(in_channels=sizes.in_channels, out_channels=sizes.out_channels)
        return made if self.coefficient is None else Closed(made, self.coefficient.carrier())

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        problem = task.samples("train")[:1].problem
        domain = problem.domain
        if not isinstance(domain, Grid) or not domain.is_torus:
            return "it transforms every space axis, which takes a periodic uniform grid"
        modes = getattr(self._architecture, "keywords", {}).get("modes")
        if modes is not None and len(modes) != domain.dim + 1:
            return (
                f"its modes {list(modes)} are for {len(modes)} axes, the task has {domain.dim} and "
                "time; set solver.architecture.modes"
            )
        if "equation" not in self.uses:
            return None
        try:
            short = self._form.first(problem)
            count = 0 if short.times is None else len(short.times)
            still = problem.initial.unsqueeze(1).expand(-1, count, *problem.initial.shape[1:])
            self.physics.loss(still, short)
        except (Unsupported, ConfigError) as error:
            return str(error)
        return None

    @property
    def _form(self) -> Block:
        assert isinstance(self.form, Block)
        return self.form

    def build(self, samples: Samples) -> Scaled:
        domain = samples[:1].problem.domain
        if isinstance(domain, Grid):
            self._filter = f"{self.physics.width(domain):.4g}"
        model = super().build(samples)
        if self.coefficient is not None:
            self._misfit = self._trajectories(samples[: self.coefficient.trajectories])
            with torch.no_grad():
                self.coefficient.set_up(_closed(model).coefficient, self._misfit)
        return model

    def _trajectories(self, labelled: Samples) -> Parabola:
        """Return the weighted mean square residual of labelled frames as a function of C."""
        problem, target = labelled.problem, labelled.target
        with torch.no_grad():
            example = self.physics.residual(target, problem, 0.0)
            channels = self.physics.channels or (1.0,) * example.shape[2]
            weights = example.new_tensor(channels).double() * (example.shape[2] / example.numel())
            shape = (1, 1, -1, *(1,) * (example.ndim - 3))
            return parabola(
                lambda c: self.physics.residual(target, problem, c), weights.view(shape)
            )

    def groups(self, model: nn.Module) -> list:
        if self.coefficient is None:
            return super().groups(model)
        c = _closed(model).coefficient
        rest = [p for p in model.parameters() if p is not c and p.requires_grad]
        return [{"params": rest}, *self.coefficient.groups(c)]

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        short = self._form.first(problem)
        u = self._form.predict(model, short)
        total = u.new_zeros((), dtype=torch.promote_types(u.dtype, torch.float32))
        c = None if self.coefficient is None else _closed(model).coefficient
        if self.weights[0] > 0:
            total = total + self.weights[0] * self.physics.loss(u, short, c)
        if self.weights[1] > 0:
            assert target is not None
            part = target[:, : u.shape[1]]
            total = total + self.weights[1] * self.training.loss(u, part, weights)
        if self.coefficient is not None and c is not None and self._misfit is not None:
            extra = self.coefficient.penalty(c, self._misfit)
            total = total if extra is None else total + extra
        return total

    def answer(self, problem: Problem) -> Tensor:
        """Return one pass of the operator, or what the online steps make of it."""
        online = self.online
        if online is None:
            return super().answer(problem)
        model = self._fitted()
        c = None if self.coefficient is None else _closed(model).coefficient.detach()
        found = []
        for b in range(len(problem)):
            one = problem.take(slice(b, b + 1))
            found.append(
                online.refined(
                    model,
                    lambda m, one=one: self._form.predict(m, one),
                    lambda u, one=one: self.physics.loss(u, one, c),
                )
            )
        return torch.cat(found)

    @property
    def disclosures(self) -> Mapping[str, str]:
        learned = None
        if self.coefficient is not None and self.model is not None:
            learned = float(_closed(self.model).coefficient.detach())
        return disclosed(self.uses, self.weights[1] > 0, self.physics.given, self._filter,
                         self.coefficient, learned)  # fmt: skip


def _closed(model: nn.Module) -> Closed:
    network = model.network if isinstance(model, Scaled) else model
    assert isinstance(network, Closed)
    return network


def residual_floor(solver: LESnets, problem: Problem, frames: Tensor) -> float:
    """Return sum_c w_c <R_c^2> of given frames (B, T, C, *S), with which no training can compete.

    With the frames of a fine simulation of the same equation it is the error of the time
    differences alone; with filtered ones it holds the error of the closure, too.
    """
    with torch.no_grad():
        return float(solver.physics.loss(frames, problem))
