"""Lagrange elements for diffusion and the Poisson equation in boxes, by scikit-fem."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray

from pdebench.domain import Grid
from pdebench.equations.dirichlet import Dirichlet
from pdebench.equations.divergence_form import DivergenceForm
from pdebench.equations.flux_form import spacings
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use

if TYPE_CHECKING:
    from pdebench.task import Task

Array = NDArray[Any]
Element = Literal["p1", "p2", "q1", "q2"]
Interpolation = Literal["nearest", "linear"]


@final
class Lagrange(Solver):
    """int a grad u . grad v = int f v on a mesh whose vertices are the grid's nodes, elimination.

    Triangles of degree 1 or 2 (every square cut along a diagonal), or quadrilaterals. Gustafsson
    and McBain, J. Open Source Softw. 5 (2020), scikit-fem.

    Args:
        element: p1, p2, q1 or q2.
        interpolation: of the coefficient between nodes: nearest, right for phases, or linear.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(self, element: Element = "p1", interpolation: Interpolation = "nearest") -> None:
        if element not in ("p1", "p2", "q1", "q2"):
            raise ConfigError(f"solver.element='{element}', expected p1, p2, q1 or q2")
        if interpolation not in ("nearest", "linear"):
            raise ConfigError(f"solver.interpolation='{interpolation}', expected nearest or linear")
        self.element, self.interpolation = element, interpolation
        self._basis: tuple[Any, Any] | None = None

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def prepare(self, problem: Problem) -> None:
        """Mesh the grid and tabulate the basis."""
        reason = _unsuitable(problem)
        if not reason:
            self._basis = problem.domain, _basis(problem.domain, self.element)

    def solve(self, problem: Problem) -> Solution:
        reason = _unsuitable(problem)
        if reason:
            raise Unsupported(f"fem: {reason}")
        if self._basis is None or self._basis[0] is not problem.domain:
            self.prepare(problem)
        assert self._basis is not None
        basis, shape = self._basis[1], problem.domain.shape
        ones = np.ones((len(problem), *shape))
        if isinstance(problem.equation, Dirichlet):
            a, f = ones, -_input(problem, "source")
            given = _input(problem, "boundary")
        else:
            a = _input(problem, "coefficient")
            f = _input(problem, "source") if "source" in problem.inputs else ones
            given = 0 * ones
        rows = [
            self._solved(basis, problem.domain, *parts) for parts in zip(a, f, given, strict=True)
        ]
        out = torch.from_numpy(np.stack(rows)).view(len(rows), 1, *shape)
        return Solution(out.to(next(iter(problem.inputs.values())).device))

    def _solved(self, basis: Any, domain: Any, a: Array, f: Array, given: Array) -> Array:
        """Return u at the nodes (n m,)."""
        from scipy.interpolate import RegularGridInterpolator
        from scipy.sparse.linalg import splu
        from skfem import BilinearForm, LinearForm
        from skfem.helpers import dot, grad

        axes = tuple(axis.nodes.numpy() for axis in domain.axes)

        def at(values: Array, method: str, points: Array) -> Array:
            flat = RegularGridInterpolator(axes, values, method)(points.reshape(2, -1).T)
            return flat.reshape(points.shape[1:])

        x = np.asarray(basis.global_coordinates())
        stiff = BilinearForm(lambda u, v, w: w["a"] * dot(grad(u), grad(v)))
        load = LinearForm(lambda v, w: w["f"] * v)
        matrix = stiff.assemble(basis, a=at(a, self.interpolation, x)).tocsr()
        b = load.assemble(basis, f=at(f, "linear", x))
        walls = basis.get_dofs().all()
        u = np.zeros(basis.N)
        u[walls] = at(given, "linear", basis.doflocs[:, walls])
        free = np.setdiff1d(np.arange(basis.N), walls)
        right = (b - matrix @ u)[free]
        u[free] = splu(matrix[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A").solve(right)
        return u[basis.nodal_dofs[0]][_order(basis.mesh.p)]


def _input(problem: Problem, name: str) -> Array:
    return problem.inputs[name][:, 0].double().cpu().numpy()


def _order(points: Array) -> Array:
    """Return the vertices in the order of the grid's nodes."""
    rounded = np.round(points, 12)
    return np.lexsort((rounded[1], rounded[0]))


def _basis(domain: Any, element: Element) -> Any:
    """Return scikit-fem's basis on the grid."""
    import skfem

    axes = [axis.nodes.numpy() for axis in domain.axes]
    quadrilaterals = element.startswith("q")
    mesh = (skfem.MeshQuad if quadrilaterals else skfem.MeshTri).init_tensor(*axes)
    kinds = {
        "p1": skfem.ElementTriP1,
        "p2": skfem.ElementTriP2,
        "q1": skfem.ElementQuad1,
        "q2": skfem.ElementQuad2,
    }
    return skfem.Basis(mesh, kinds[element]())


def _unsuitable(problem: Problem) -> str | None:
    law = problem.equation
    if isinstance(law, Dirichlet) and law.kind != "poisson":
        return "it solves linear equations, Allen-Cahn is not"
    if not isinstance(law, (Dirichlet, DivergenceForm)):
        return f"it solves diffusion and Poisson, the task's is {type(law).__name__}"
    if not isinstance(problem.domain, Grid) or problem.domain.dim != 2:
        return "it needs a box of two dimensions"
    try:
        spacings(problem.domain)
    except Unsupported as error:
        return str(error)
    return None
