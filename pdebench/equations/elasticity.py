"""Equations of the unit cell with a void: a stretched rubber sheet, and linear equilibrium."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np
import torch
from torch import Tensor

from pdebench.equation import Equation, LinearSystem
from pdebench.equations.flux_form import Assembled
from pdebench.equations.quadratic_cells import Cells
from pdebench.equations.unit_cell import CellMesh
from pdebench.errors import ConfigError, Unsupported

if TYPE_CHECKING:
    from pdebench.problem import Problem

_GEO_FNO = "Li et al., Geo-FNO, arXiv 2207.05209, sec. 4.1"


@final
@dataclass(frozen=True)
class StretchedCell(Equation):
    """-div P = 0; u = 0 at the bottom, P n = (0, traction) on the top, P n = 0 elsewhere.

    P is the first Piola-Kirchhoff stress of an incompressible Rivlin-Saunders sheet in plane
    stress, W = C1 (I1 - 3) + C2 (I2 - 3). Asked for is the von Mises stress: pointwise on a grid,
    0 in the void; with an input ``points`` (B, 2, N), the nodes of an O-grid of ``around`` x
    ``across`` biquadratic cells, its lumped projection to them from the 3 x 3 Gauss points of each
    cell. For where a clamped side meets a free one, the stress is singular: it has no nodal value,
    but a mean. The void's shape numbers are
    the problem's parameters (`unit_cell`).

    Attributes:
        around, across: cells of the mesh.
        c1, c2: moduli, N/m^2.
        traction: force per length and thickness on the top, N/m^2.
        asked: the stress, or displacement (two channels) and stress.
    """

    around: int
    across: int
    c1: float = 1.863e5
    c2: float = 9.79e3
    traction: float = 100.0
    asked: Literal["stress", "all"] = "stress"

    @property
    def fields(self) -> Mapping[str, str]:
        stress = {"stress": "N/m^2"}
        moved = {"displacement_x": "m", "displacement_y": "m"}
        return stress if self.asked == "stress" else moved | stress

    @property
    def reference(self) -> str:
        return _GEO_FNO

    @property
    def mesh(self) -> CellMesh:
        """The O-grid."""
        return CellMesh(self.around, self.across)

    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Unsupported: a von Mises stress alone has no residual."""
        raise Unsupported("a von Mises stress alone does not say whether forces balance")

    def linear_system(self, problem: "Problem") -> LinearSystem:
        raise Unsupported("the stretched cell is not linear; elasticity/equilibrium is")


def plane_stress(poisson: float, young: float = 1.0) -> Tensor:
    """Return dsigma_ij/d(grad u)_kl (2, 2, 2, 2) of linear elasticity in plane stress."""
    eye = torch.eye(2, dtype=torch.float64)
    mu = young / (2 * (1 + poisson))
    lam = young * poisson / (1 - poisson**2)  # 2 mu lambda / (lambda + 2 mu)
    shear = torch.einsum("ik,jl->ijkl", eye, eye) + torch.einsum("il,jk->ijkl", eye, eye)
    return lam * torch.einsum("ij,kl->ijkl", eye, eye) + mu * shear


@final
@dataclass(frozen=True)
class Equilibrium(Equation):
    """K u = f: small displacements of the unit cell, tractions on its top, bottom clamped.

    Linear elasticity in plane stress, E = 1, biquadratic elements. Inputs: ``points`` (B, 2, N),
    the nodes of an ``around`` x ``across`` O-grid (`unit_cell.CellMesh`); ``force`` (B, 2, N), the
    nodal forces; parameter ``poisson`` (B,). K over all unknowns has the identity at the clamped
    ones.

    Attributes:
        around, across: cells of the mesh.
    """

    around: int
    across: int

    @property
    def fields(self) -> Mapping[str, str]:
        return {"displacement_x": "1", "displacement_y": "1"}

    @property
    def reference(self) -> str:
        return f"Zienkiewicz and Taylor, The Finite Element Method, vol. 1, ch. 4; {_GEO_FNO}"

    @property
    def mesh(self) -> CellMesh:
        """The O-grid."""
        return CellMesh(self.around, self.across)

    def _made(self, problem: "Problem") -> tuple[Cells, Tensor, Tensor]:
        """Return quadrature, stiffnesses (B, E, 18, 18) and the mask (2, N) of free unknowns."""
        missing = {"points", "force"} - set(problem.inputs)
        if missing or "poisson" not in problem.parameters:
            raise ConfigError(
                "equilibrium needs inputs points and force and parameter poisson, got "
                f"{sorted(problem.inputs)} and {sorted(problem.parameters)}"
            )
        nodes = problem.inputs["points"].double().cpu().mT.contiguous()
        if nodes.shape[1] != self.mesh.num_nodes:
            raise ConfigError(
                f"inputs['points'] has {nodes.shape[1]} nodes, expected {self.mesh.num_nodes} of a "
                f"mesh of {self.around} x {self.across} cells"
            )
        cells = Cells(nodes, torch.from_numpy(self.mesh.cells))
        ratios = problem.parameters["poisson"].tolist()
        tangent = torch.stack([plane_stress(ratio) for ratio in ratios])[:, None, None]
        free = (nodes[0, :, 1] > 1e-6).expand(2, -1)  # stored in single precision
        return cells, cells.local_matrices(tangent), free

    def residual(self, u: Tensor, problem: "Problem") -> Tensor:
        """Return f - K u at free unknowns and -u at clamped ones, (B, 2, N)."""
        cells, local, free = self._made(problem)
        free, where = free.to(u.device), cells.cells.to(u.device)
        given = torch.where(free, u, 0.0)[:, :, where]  # (B, 2, E, 9)
        stacked = given.transpose(1, 2).flatten(2).unsqueeze(-1)  # (B, E, 18, 1)
        moved = (local.to(u) @ stacked).view(len(u), -1, 2, 9).transpose(1, 2).flatten(2)
        product = torch.zeros_like(u).index_add(2, where.reshape(-1), moved)
        return torch.where(free, problem.inputs["force"].to(u) - product, -u)

    def linear_system(self, problem: "Problem") -> LinearSystem:
        """Return the systems of all instances, with the rigid motions as near null space."""
        cells, local, free = self._made(problem)
        fixed = ~free.reshape(-1).numpy()
        pattern = cells.pattern
        matrices = [pattern.matrix(one, fixed) for one in local]

        def matvec(x: Tensor) -> Tensor:
            given = x.detach().cpu().numpy()
            rows = [matrix @ row for matrix, row in zip(matrices, given, strict=True)]
            return torch.from_numpy(np.stack(rows)).to(x)

        force = torch.where(free, problem.inputs["force"].double().cpu(), 0.0).flatten(1)
        return LinearSystem(
            matvec,
            force,
            Assembled(len(matrices), matrices.__getitem__),
            symmetric_positive=True,
            near_null_space=rigid_motions(cells.nodes, free),
        )


def rigid_motions(nodes: Tensor, free: Tensor) -> Tensor:
    """Return two shifts and the rotation about the centre (B, 3, 2 N), 0 at clamped unknowns."""
    one, zero = torch.ones_like(nodes[..., 0]), torch.zeros_like(nodes[..., 0])
    x, y = nodes[..., 0] - 0.5, nodes[..., 1] - 0.5
    motions = torch.stack([torch.cat(pair, -1) for pair in ((one, zero), (zero, one), (-y, x))], 1)
    return motions * free.reshape(-1)
