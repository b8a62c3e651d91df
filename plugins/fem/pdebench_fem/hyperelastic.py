"""Finite elements for the stretched unit cell with a void."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.equations.elasticity import StretchedCell
from pdebench.equations.unit_cell import CellMesh, Located, numbers_of
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_fem.newton import Loading, newton
from pdebench_fem.rivlin import Rivlin

if TYPE_CHECKING:
    from pdebench.task import Task

Array = NDArray[Any]


@final
class Hyperelastic(Solver):
    """Biquadratic elements on an O-grid of its own, Newton's method with the exact tangent.

    The mesh comes from the void's shape numbers, so that its fineness is free: the same class is
    reference and, on coarser meshes, classical ladder. Stresses are those of the displacement's
    gradient at the points that are asked for.

    Args:
        around: cells around the void, a multiple of 8.
        across: cells from the void to the sides.
        tolerance: on the residual, relative to the forces.
        load_steps: equal parts that the traction is applied in.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self, around: int = 32, across: int = 8, tolerance: float = 1e-10, load_steps: int = 1
    ) -> None:
        if around < 8 or around % 8:
            raise ConfigError(f"solver.around={around}, expected a multiple of 8 cells")
        if across < 1:
            raise ConfigError(f"solver.across={across}, expected at least 1 cell")
        if tolerance <= 0:
            raise ConfigError(f"solver.tolerance={tolerance}, expected a positive number")
        if load_steps < 1:
            raise ConfigError(f"solver.load_steps={load_steps}, expected at least 1")
        self.mesh, self.tolerance, self.load_steps = CellMesh(around, across), tolerance, load_steps

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def solve(self, problem: Problem) -> Solution:
        reason = _unsuitable(problem)
        law = problem.equation
        if reason or not isinstance(law, StretchedCell):
            raise Unsupported(f"fem: {reason}")
        numbers = numbers_of(problem)
        cells = self.mesh.quadrature(numbers)
        nodes = cells.nodes.numpy()
        force = torch.zeros(len(nodes), 2, nodes.shape[1], dtype=torch.float64)
        force[:, 1] = law.traction * torch.from_numpy(self.mesh.top_forces(nodes))
        loading = Loading(force, self.mesh.fixed(nodes), torch.zeros_like(force))
        material = Rivlin(law.c1, law.c2)
        u = newton(cells, material, loading, tolerance=self.tolerance, load_steps=self.load_steps).u
        rows = [
            _asked(law, material, problem, b, self.mesh, numbers[b], u[b].numpy())
            for b in range(len(numbers))
        ]
        out = torch.stack(rows).view(len(rows), -1, *problem.domain.shape)
        return Solution(out.to(next(iter(problem.inputs.values())).device))


def _asked(
    law: StretchedCell,
    material: Rivlin,
    problem: Problem,
    index: int,
    mesh: CellMesh,
    numbers: Array,
    u: Array,
) -> Tensor:
    """Return what is asked of displacements u (2, N) on the solver's mesh, (C, M)."""

    def stress(at: Located) -> Tensor:
        f = torch.from_numpy(at.gradient(u)) + torch.eye(2, dtype=torch.float64)
        return torch.where(torch.from_numpy(at.inside), material.von_mises(f), 0.0)

    given = problem.inputs.get("points")
    if given is None:
        points = problem.domain.points.numpy()
        found = stress(mesh.located(numbers, points))[None]
    else:
        points = given[index].double().cpu().numpy().T
        theirs = law.mesh.quadrature(numbers[None])
        at = mesh.located(numbers, theirs.points.reshape(-1, 2).numpy())
        found = theirs.averaged(stress(at).view(theirs.weights.shape))
    if law.asked == "stress":
        return found
    return torch.cat([torch.from_numpy(mesh.located(numbers, points).field(u)), found])


def _unsuitable(problem: Problem) -> str | None:
    if not isinstance(problem.equation, StretchedCell):
        return f"it solves stretched unit cells, the task's is {type(problem.equation).__name__}"
    try:
        numbers_of(problem)
    except Unsupported as error:
        return str(error)
    return None
