"""Deep conjugate directions as an iterative solver of the suite."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from pdebench.domain import Domain, Grid
from pdebench.equation import LinearSystem
from pdebench.errors import ConfigError, Unsupported
from pdebench.learning import LearnedSolver, Sizes, Training
from pdebench.problem import Problem, Solution, Withheld
from pdebench.samples import Samples
from pdebench.solver import Budget, IterativeSolver, Use
from pdebench_deepcg.box import training_box
from pdebench_deepcg.directions import Map, conjugate_directions
from pdebench_deepcg.lanczos import training_vectors
from pdebench_deepcg.loss import residual_after_step

if TYPE_CHECKING:
    from pdebench.task import Task

Architecture = Callable[..., nn.Module]


@final
class _Direction(LearnedSolver):
    """The network of directions under training: vectors in, no labels."""

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(self, architecture: Architecture, training: Training) -> None:
        super().__init__(None, training)
        self._architecture = architecture
        self.matvec: Map | None = None
        self.alone: Tensor | None = None

    def network(self, sizes: Sizes) -> nn.Module:
        return self._architecture(dim=sizes.dim)

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        y = problem.input
        if self.matvec is None or self.alone is None:
            raise ConfigError("the matrix is not set; call DeepCG.fit")
        d = model(y).flatten(1).float().masked_fill(self.alone.to(y.device), 0.0)
        return residual_after_step(d, y.flatten(1), self.matvec).mean()


@final
class DeepCG(IterativeSolver):
    """Learned directions inside an iteration that stays conjugate: A x = b, A symmetric positive.

    Kaneda et al., ICML 2023 (arXiv 2205.10763). ``fit`` draws training vectors from one matrix, by
    Lanczos and Ritz, and minimises |y - alpha A f(y)|^2 over them; no solution is used. ``solve``
    works for any size and any obstacles, since the matrix enters through A alone. Iterates are
    float64, the network runs in its own precision.

    Args:
        architecture: takes ``dim`` and returns a network (B, 1, *S) -> (B, 1, *S):
            ``pdebench_deepcg.network.DirectionNetwork`` with ``_partial_: true``.
        lanczos: steps m of the Lanczos process.
        vectors: training vectors; a tenth as many more are held out for validation.
        lowest: share of the Ritz vectors, from the smallest value on, that is boosted.
        boost: their factor.
        empty: train on the matrix without obstacles, as published; else on the first training
            problem's.
        wider: length of the training box in that of the problems, at their spacing; eigenvalues
            below those of the problems at hand are then in the training vectors.
        kept: directions to which a new one is made conjugate.
        tolerance: stop at |b - A x| <= tolerance |b|.
        steps: stop after so many.
        training: optimiser, schedule, batch size; its loss is not used.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        architecture: Architecture,
        lanczos: int = 600,
        vectors: int = 2000,
        lowest: float = 0.55,
        boost: float = 9.0,
        empty: bool = True,
        wider: int = 1,
        kept: int = 2,
        tolerance: float = 1e-6,
        steps: int = 500,
        training: Training | None = None,
    ) -> None:
        for name, value in {
            "lanczos": lanczos,
            "vectors": vectors,
            "wider": wider,
            "steps": steps,
        }.items():
            if value < 1:
                raise ConfigError(f"solver.{name}={value}, expected a positive integer")
        if kept < 0:
            raise ConfigError(f"solver.kept={kept}, expected 0 or more directions")
        if not 0 <= lowest <= 1:
            raise ConfigError(f"solver.lowest={lowest}, expected a share between 0 and 1")
        if tolerance < 0:
            raise ConfigError(f"solver.tolerance={tolerance}, expected 0 or a positive number")
        self.lanczos, self.vectors, self.lowest, self.boost = lanczos, vectors, lowest, boost
        self.empty, self.wider, self.kept = empty, wider, kept
        self.tolerance, self.steps = tolerance, steps
        self._direction = _Direction(architecture, training or Training())

    def supports(self, task: "Task") -> str | None:
        problem = task.samples("train")[:1].problem
        if not isinstance(problem.domain, Grid):
            return "its network is convolutional; the task lives on a mesh or point cloud"
        if problem.times is not None:
            return "it solves linear systems, the task asks for an evolution in time"
        try:
            system = problem.equation.linear_system(problem)
        except Unsupported as error:
            return str(error)
        if not system.symmetric_positive:
            return "conjugate directions need a symmetric positive definite matrix"
        unknowns = problem.domain.shape
        return (
            None
            if system.rhs.shape[1:].numel() == torch.Size(unknowns).numel()
            else "its network needs one unknown per grid point"
        )

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        """Draw training vectors from one matrix and train the network on them."""
        problem = training_box(train[:1].problem, self.empty, self.wider)
        system = problem.equation.linear_system(problem)
        held_out = max(1, self.vectors // 10)
        count = system.rhs.shape[1]
        alone, _ = lone_rows(system)
        drawn = training_vectors(
            lambda x: system.project(system.matvec(x.masked_fill(alone[:1], 0.0))),
            count,
            self.lanczos,
            self.vectors + held_out,
            self.lowest,
            self.boost,
        )
        self._direction.matvec, self._direction.alone = system.matvec, alone[:1]
        split = (drawn[: self.vectors], drawn[self.vectors :])
        made = [_as_samples(part.float(), problem.domain) for part in split]
        self._direction.fit(made[0], made[1], budget)

    def prepare(self, problem: Problem) -> None:
        """Move the network to the problem's device."""
        self._direction.prepare(problem)

    def iterate(self, problem: Problem) -> Iterator[Solution]:
        """Yield (B, 1, *S) until every true residual is below the tolerance.

        Rows without a neighbour, solid cells, are solved beforehand: the network does not see which
        they are, and what it proposes there would only have to be undone.

        ``iterations`` counts the steps of every instance, ``counts["replaced"]`` those of them in
        which the residual took the place of a useless direction.
        """
        system = problem.equation.linear_system(problem)
        model, shape = self._direction.model, problem.domain.shape
        if model is None:
            raise ConfigError("the direction network is not trained; call fit or load first")
        dtype = next(model.parameters()).dtype

        def direction(r: Tensor) -> Tensor:
            with torch.inference_mode():
                return model(r.to(dtype).view(-1, 1, *shape)).flatten(1)

        b = system.right_hand_side()
        system.check_symmetric()
        alone, diagonal = lone_rows(system)
        settled = torch.where(alone, b / diagonal, 0.0)
        steps = conjugate_directions(
            system.matvec,
            b.masked_fill(alone, 0.0),
            lambda r: system.project(direction(r).to(r.dtype).masked_fill(alone, 0.0)),
            self.kept,
            self.tolerance,
            self.steps,
        )
        for step in steps:
            u = (step.x + settled).view(-1, 1, *shape)
            yield Solution(u, iterations=step.steps, counts={"replaced": step.replaced})

    @property
    def num_parameters(self) -> int:
        return self._direction.num_parameters

    def save(self, path: Path) -> None:
        self._direction.save(path)

    def load(self, path: Path) -> None:
        self._direction.load(path)


def lone_rows(system: LinearSystem) -> tuple[Tensor, Tensor]:
    """Return which rows hold a diagonal alone, (B, N), and the diagonal there, 1 elsewhere."""
    diagonals = np.stack([m.diagonal() for m in system.matrices])
    single = np.stack([np.diff(m.indptr) == 1 for m in system.matrices])
    alone = torch.from_numpy(single & (diagonals != 0)).to(system.rhs.device)
    return alone, torch.from_numpy(diagonals).to(alone.device).where(alone, 1.0)


def _as_samples(vectors: Tensor, domain: Domain) -> Samples:
    reason = "training vectors have no equation of their own"
    fields = vectors.view(len(vectors), 1, *domain.shape)
    return Samples.of(Problem(Withheld(reason), domain, {"residual": fields}), fields)
