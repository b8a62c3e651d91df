"""Patch test, manufactured and exact solutions, Newton's order, comparison with scikit-fem."""

from itertools import pairwise

import numpy as np
import pytest
import skfem
import torch
from pdebench_fem.newton import Loading, deformation, newton
from pdebench_fem.rivlin import Rivlin
from skfem.helpers import ddot
from torch import Tensor

from pdebench.equations.elasticity import plane_stress
from pdebench.equations.quadratic_cells import Cells, shapes
from pdebench.equations.unit_cell import MODES, CellMesh
from pdebench.errors import Diverged

RUBBER = Rivlin(1.863e5, 9.79e3)
ROUND = np.zeros((1, 2 * MODES + 1))
WAVY = np.random.default_rng(3).normal(size=(1, 2 * MODES + 1)) * 0.3


def gradients(count: int = 4) -> Tensor:
    drawn = torch.randn(
        count, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    return torch.eye(2, dtype=torch.float64) + 0.15 * drawn


def everywhere(mesh: CellMesh) -> np.ndarray:
    return np.concatenate([mesh.boundary, mesh.boundary])


def test_stress_and_tangent_are_derivatives_of_the_energy() -> None:
    def energy(f: Tensor) -> Tensor:
        c = f.mT @ f
        t, d = c.diagonal().sum(), torch.linalg.det(c)
        return RUBBER.c1 * (t + 1 / d - 3) + RUBBER.c2 * (d + t / d - 3)

    for f in gradients():
        slope = torch.autograd.functional.jacobian(energy, f)
        bend = torch.autograd.functional.hessian(energy, f)
        assert torch.allclose(RUBBER.first(f), slope, rtol=1e-12, atol=1e-6)
        assert torch.allclose(RUBBER.tangent(f), bend, rtol=1e-12, atol=1e-5)


def test_tangent_is_symmetric_and_rest_is_free_of_stress() -> None:
    tangent = RUBBER.tangent(gradients())
    assert torch.allclose(tangent, tangent.permute(0, 3, 4, 1, 2), rtol=1e-14, atol=1e-8)
    rest = torch.eye(2, dtype=torch.float64)
    assert float(RUBBER.first(rest).abs().max()) < 1e-9
    # small strains: incompressible plane stress, E = 3 mu, nu = 1/2
    wanted = plane_stress(0.5, 3 * RUBBER.shear_modulus)
    assert torch.allclose(RUBBER.tangent(rest), wanted, rtol=1e-13, atol=1e-8)


def test_rotations_change_no_stress() -> None:
    angle = torch.tensor(0.7, dtype=torch.float64)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    f = gradients()
    assert torch.allclose(RUBBER.von_mises(turn @ f), RUBBER.von_mises(f), rtol=1e-12)


def test_uniaxial_extension_is_the_closed_form() -> None:
    """P = 2 (C1 + C2 / l) (l - l^-2), and nothing across."""
    for stretch in (0.7, 1.5, 2.0):
        f = torch.diag(torch.tensor([stretch**-0.5, stretch], dtype=torch.float64))
        p = RUBBER.first(f)
        wanted = 2 * (RUBBER.c1 + RUBBER.c2 / stretch) * (stretch - stretch**-2)
        assert float(p[1, 1]) == pytest.approx(wanted, rel=1e-13)
        assert abs(float(p[0, 0])) < 1e-13 * abs(wanted) * 10


def test_area_and_normals_of_the_mesh() -> None:
    """Shape functions sum to one, their integrals to the area 1 - 0.09 pi."""
    sizes = []
    for around in (16, 32):
        cells = CellMesh(around, around // 4).quadrature(ROUND)
        assert bool((cells.weights > 0).all()) and bool((cells.measure > 0).all())
        sizes.append(abs(float(cells.measure.sum()) - (1 - 0.09 * np.pi)))
    assert np.log2(sizes[0] / sizes[1]) > 3.8  # quadratic arcs: order 4
    mesh = CellMesh(16, 4)
    assert float(mesh.top_forces(mesh.nodes(WAVY)).sum()) == pytest.approx(1.0, abs=1e-14)


def test_patch_of_affine_displacements() -> None:
    """Affine on all boundaries, gradients up to 0.2: affine inside, from a perturbed start."""
    mesh = CellMesh(16, 4)
    cells = mesh.quadrature(WAVY)
    slope = torch.tensor([[0.2, -0.1], [0.05, 0.15]], dtype=torch.float64)
    wanted = (cells.nodes @ slope.mT).mT.contiguous()
    noise = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0)).double()
    loading = Loading(torch.zeros_like(wanted), everywhere(mesh), wanted)
    found = newton(cells, RUBBER, loading, wanted + 1e-4 * noise, tolerance=1e-15, steps=6)
    assert float((found.u - wanted).abs().max()) < 1e-14
    stress = cells.averaged(RUBBER.von_mises(deformation(cells, found.u)))
    assert float(stress.std() / stress.mean()) < 1e-12


def manufactured(x: Tensor) -> Tensor:
    """u = .05 (sin pi x sin 2 pi y, cos pi x cos pi y) at (..., 2)."""
    a, b = np.pi * x[..., 0], np.pi * x[..., 1]
    return 0.05 * torch.stack([a.sin() * (2 * b).sin(), a.cos() * b.cos()], -1)


def body_force(x: Tensor) -> Tensor:
    """-div P of the manufactured displacement at points (M, 2), by differentiating twice."""

    def stress(y: Tensor) -> Tensor:
        slope = torch.func.jacfwd(manufactured)(y)
        return RUBBER.first(torch.eye(2, dtype=torch.float64) + slope)

    return -torch.vmap(lambda y: torch.einsum("ijj->i", torch.func.jacfwd(stress)(y)))(x)


def test_manufactured_solution_converges_at_the_element_s_orders() -> None:
    errors = []
    for around in (16, 32, 64):
        mesh = CellMesh(around, around // 4)
        cells = mesh.quadrature(WAVY)
        at = cells.points
        force = body_force(at.reshape(-1, 2)).view(at.shape)
        share = torch.einsum("beq,beqi,qa->biea", cells.weights, force, cells.values)
        nodal = share.new_zeros(1, 2, mesh.num_nodes).index_add_(
            2, cells.cells.reshape(-1), share.flatten(2)
        )
        exact = manufactured(cells.nodes).mT.contiguous()
        u = newton(cells, RUBBER, Loading(nodal, everywhere(mesh), exact), exact).u
        here = torch.einsum("qa,biea->beqi", cells.values, u[:, :, cells.cells])
        slope = torch.vmap(torch.func.jacfwd(manufactured))(at.reshape(-1, 2))
        gap = (here - manufactured(at)).square().sum(-1)
        steep = (cells.gradient(u) - slope.view(*at.shape[:3], 2, 2)).square().sum((-1, -2))
        errors.append([float((cells.weights * e).sum().sqrt()) for e in (gap, steep)])
    orders = np.log2([np.array(a) / b for a, b in pairwise(errors)])
    assert orders[-1][0] > 2.8 and abs(orders[-1][1] - 2.0) < 0.15, orders


def stretched(mesh: CellMesh, traction: float) -> tuple[Cells, Loading]:
    cells = mesh.quadrature(WAVY)
    nodes = cells.nodes.numpy()
    force = torch.zeros(1, 2, mesh.num_nodes, dtype=torch.float64)
    force[:, 1] = traction * torch.from_numpy(mesh.top_forces(nodes))
    return cells, Loading(force, mesh.fixed(nodes), torch.zeros_like(force))


def test_newton_is_quadratic() -> None:
    """Traction a tenth of the shear modulus: every error is of the size of the last one squared."""
    cells, loading = stretched(CellMesh(16, 4), 0.1 * RUBBER.shear_modulus)
    sizes = newton(cells, RUBBER, loading, tolerance=1e-11).residuals
    assert len(sizes) <= 7
    tail = [(a, b) for a, b in pairwise(sizes) if 1e-6 < a < 0.1]
    assert tail and all(b < 30 * a**2 for a, b in tail), sizes
    cells, loading = stretched(CellMesh(16, 4), 100.0)
    assert len(newton(cells, RUBBER, loading).residuals) <= 4  # the published load: three steps


def test_too_large_a_load_is_reported() -> None:
    cells, loading = stretched(CellMesh(16, 4), 20 * RUBBER.shear_modulus)
    with pytest.raises(Diverged, match="load_steps"):
        newton(cells, RUBBER, loading)


def test_small_hole_has_the_factor_of_kirsch() -> None:
    """A round hole, a twentieth of the square wide, in tension: 3 times the far stress at its sides
    (Kirsch 1898; the finite width adds 0.4 %).
    """
    mesh = CellMesh(32, 16)
    nodes = mesh.nodes(ROUND)
    away = (nodes - 0.5).reshape(mesh.rings, mesh.rays, 2)
    rho, outer = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (away, away[-1]))
    share = (rho - 0.3) / (outer - 0.3)
    small = 0.5 + away / rho * 0.025 * (outer / 0.025) ** share  # rings in geometric progression
    small[-1] = nodes.reshape(*small.shape)[-1]
    small = small.reshape(1, -1, 2)
    cells = Cells(torch.from_numpy(small), torch.from_numpy(mesh.cells))
    pull = torch.zeros(1, 2, mesh.num_nodes, dtype=torch.float64)
    pull[:, 1] = torch.from_numpy(mesh.top_forces(small) - mesh.top_forces(1 - small))
    held = np.zeros((2, mesh.num_nodes), dtype=bool)
    left, right, side = (
        int(np.argmin(np.abs(small[0] - [x, 0.5]).sum(1))) for x in (0.0, 1.0, 0.525)
    )
    held[:, left], held[1, right] = True, True  # rigid motions, without reactions
    soft = Rivlin(1e6, 0.0)  # strains of 1e-7: linear
    u = newton(cells, soft, Loading(pull, held.ravel(), torch.zeros_like(pull))).u[0].numpy()
    cell = mesh.cells[mesh.cells[:, 0] == side][0]
    slope = shapes(np.array([-1.0, -1.0]))[1]  # at the first corner
    local = slope @ np.linalg.inv(np.einsum("ai,ak->ik", small[0][cell], slope))
    f = torch.from_numpy(np.eye(2) + u[:, cell] @ local)
    assert float(soft.first(f)[1, 1]) == pytest.approx(3.0, rel=0.02)


def test_assembly_is_scikit_fem_s() -> None:
    """The same stiffness of linear elasticity on curved biquadratic cells."""
    mesh = CellMesh(16, 4)
    cells = mesh.quadrature(WAVY)
    tangent = plane_stress(0.3)[None, None, None]
    ours = cells.pattern.matrix(
        cells.local_matrices(tangent)[0], np.zeros(2 * mesh.num_nodes, dtype=bool)
    )
    nodes, corners = cells.nodes[0].numpy(), mesh.cells[:, :4]
    used, flat = np.unique(corners, return_inverse=True)
    straight = skfem.MeshQuad(nodes[used].T, flat.reshape(corners.shape).T)
    curved = skfem.MeshQuad2.from_mesh(straight)
    places = skfem.Basis(straight, skfem.ElementQuad2()).element_dofs
    where = np.zeros_like(curved.doflocs)
    where[:, places] = nodes[mesh.cells.T].transpose(2, 0, 1)
    curved = skfem.MeshQuad2(where, curved.t)
    basis = skfem.Basis(curved, skfem.ElementVector(skfem.ElementQuad2()), intorder=5)

    @skfem.BilinearForm
    def form(u, v, w):
        moduli = plane_stress(0.3).numpy()
        return ddot(np.einsum("ijkl,kl...->ij...", moduli, u.grad), v.grad)

    theirs = form.assemble(basis)
    order = np.zeros(2 * mesh.num_nodes, dtype=int)
    for component in range(2):
        dofs = basis.element_dofs[component::2]
        order[component * mesh.num_nodes + mesh.cells.T] = dofs
    gap = abs(theirs[order][:, order] - ours).max()
    assert gap < 1e-12 * abs(ours).max()
