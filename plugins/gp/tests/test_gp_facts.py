"""Facts that hold for the kernels, the process and its objective."""

import math

import pytest
import torch
from pdebench_gp import posterior
from pdebench_gp.fit import State, run
from pdebench_gp.kernel import KERNELS, Kernel, Parameters, StudentT, kernel_named, start
from pdebench_gp.objective import Objective, Task, equation_named, faces
from pdebench_gp.process import Factor, Prior, uniform
from scipy.integrate import quad
from scipy.stats import t as student
from torch import Tensor

from pdebench.equations.exact_solutions import PROBLEMS, exact, problem_named
from pdebench.errors import ConfigError, SolverError


def parameters(num: int = 3, seed: int = 0) -> Parameters:
    g = torch.Generator().manual_seed(seed)
    w, ls, freq = torch.randn(3, num, generator=g, dtype=torch.float64)
    return Parameters(0.3 * w, 0.3 * ls, freq.abs())


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", KERNELS)
def test_derivatives_are_autograds_away_from_zero(name: str) -> None:
    """Four times differentiated by torch, on both sides of z = 0 where |z| is smooth."""
    z = torch.tensor([-1.3, -0.2, 0.1, 0.7, 2.0], dtype=torch.float64, requires_grad=True)
    kernel, p = KERNELS[name], parameters()
    closed = kernel.at(z, p, 4)
    by_torch = kernel.at(z, p, 0)[0]
    for order in range(5):
        assert relative(closed[order].detach(), by_torch.detach()) < 1e-10
        (by_torch,) = torch.autograd.grad(by_torch.sum(), z, create_graph=True)


def test_second_derivative_at_zero_distance() -> None:
    """-sum w (a^2 / 3 + m^2) and -sum w (2 l + m^2), the limits by hand."""
    zero, p = torch.zeros(1, dtype=torch.float64), parameters()
    w, m = p.log_w.exp(), 2 * math.pi * p.freq
    matern = -(w * (5 * (2 * p.log_ls).exp() / 3 + m**2)).sum()
    gauss = -(w * (2 * p.log_ls.exp() + m**2)).sum()
    assert float(KERNELS["Matern52_Cos_1d"].at(zero, p, 2)[2]) == pytest.approx(float(matern))
    assert float(KERNELS["SE_Cos_1d"].at(zero, p, 2)[2]) == pytest.approx(float(gauss))


def test_matern_is_the_transform_of_a_student_t_density() -> None:
    """Five degrees of freedom, scale exp(log_ls) / (2 pi), by quadrature."""
    log_ls = torch.tensor([0.4], dtype=torch.float64)
    scale = math.exp(0.4) / (2 * math.pi)
    for z in (0.3, 1.1):
        value, _ = quad(
            lambda f, z=z: student.pdf(f / scale, 5) / scale,
            0,
            math.inf,
            weight="cos",
            wvar=2 * math.pi * z,
        )
        p = Parameters(
            torch.zeros(1, dtype=torch.float64), log_ls, torch.zeros(1, dtype=torch.float64)
        )
        got = float(
            Kernel(StudentT(), cosine=False).at(torch.tensor([z], dtype=torch.float64), p, 0)[0]
        )
        assert 2 * value == pytest.approx(got, abs=1e-7)


@pytest.mark.parametrize("name", KERNELS)
def test_toeplitz_matrices_are_the_dense_ones(name: str) -> None:
    x = torch.linspace(0, 2, 17, dtype=torch.float64)
    assert uniform(x)
    dense = KERNELS[name].matrices(x, x, parameters(), 3)
    for quick, slow in zip(KERNELS[name].matrices(x, x, parameters(), 3, True), dense, strict=True):
        assert relative(quick, slow) < 1e-12


def grids() -> tuple[Tensor, Tensor]:
    x = torch.linspace(0, 1, 7, dtype=torch.float64)
    y = torch.tensor([0.0, 0.13, 0.5, 0.7, 1.0], dtype=torch.float64)
    return x, y


def prior(jitter: float = 1e-2) -> Prior:
    x, y = grids()
    kernel = KERNELS["SE_Cos_1d"]
    factors = [Factor.of(p, kernel, parameters(seed=k), jitter) for k, p in enumerate((x, y))]
    g = torch.Generator().manual_seed(5)
    return Prior(factors, torch.randn(7, 5, generator=g, dtype=torch.float64))


def test_factors_equal_the_dense_product_process() -> None:
    p = prior()
    noisy = [f.cholesky @ f.cholesky.T for f in p.factors]
    dense = torch.kron(noisy[0], noisy[1])
    u = p.values.flatten()
    solved = torch.linalg.solve(dense, u)
    assert relative(p.precision_times_values.flatten(), solved) < 1e-9
    assert float(p.log_density) == pytest.approx(-0.5 * float(u @ solved), rel=1e-9)
    assert float(p.logdet) == pytest.approx(float(torch.logdet(dense)), rel=1e-9)


def test_swapping_axes_swaps_derivatives() -> None:
    p = prior()
    swapped = Prior(p.factors[::-1], p.values.T)
    assert relative(swapped.derivative(1, 2).T, p.derivative(0, 2)) < 1e-10


@pytest.mark.parametrize("jitter", [1e-2, 1e-4])
def test_mean_at_the_nodes_smooths_by_the_jitter(jitter: float) -> None:
    """(I - eps K^{-1}) u in one dimension, by hand."""
    x, _ = grids()
    factor = Factor.of(x, KERNELS["Matern52_Cos_1d"], parameters(), jitter)
    u = torch.sin(3 * x)
    expected = u - jitter * factor.solve(u)
    assert relative(Prior([factor], u).mean(x), expected) < 1e-10


def objective(**changes) -> Objective:
    x = torch.linspace(0, 1, 12, dtype=torch.float64)
    task = Task((x,), torch.cos(4 * x), torch.tensor([0.3, -0.2], dtype=torch.float64), "poisson")
    return Objective(task, KERNELS["SE_Cos_1d"], **changes)


def state(o: Objective) -> State:
    s = State.published(o, 4, 2.0)
    s.u = torch.sin(o.task.points[0])
    s.log_tau = torch.tensor(0.7, dtype=torch.float64)
    return s


def test_boundary_weight_scales_the_whole_boundary_term() -> None:
    one, two = (objective(boundary_weight=w) for w in (100.0, 200.0))
    terms = state(one).terms(one)
    term = 2 / 2 * 0.7 - 0.5 * math.exp(0.7) * float(terms.boundary_gap)
    change = float(state(two).terms(two).loss - terms.loss)
    assert change == pytest.approx(-100.0 * term, rel=1e-10)


def test_determinant_is_half_log_k() -> None:
    on, off = objective(), objective(determinant=False)
    with_it = state(on).terms(on)
    change = float(with_it.loss - state(off).terms(off).loss)
    assert change == pytest.approx(0.5 * float(with_it.prior.logdet), rel=1e-10)


def test_precision_gradient_vanishes_at_count_over_gap() -> None:
    o = objective()
    s = state(o)
    gap = float(s.terms(o).boundary_gap)
    s.log_tau = torch.tensor(math.log(2 / gap), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(s.terms(o).loss, s.log_tau)
    assert abs(float(slope)) < 1e-9


def test_optimum_in_u_is_a_linear_solve() -> None:
    """With everything else frozen the objective is quadratic in u; at the closed optimum its
    gradient vanishes.
    """
    o = objective(jitter=1e-3)
    s = state(o)
    s.log_v = torch.tensor(-1.0, dtype=torch.float64)
    factor = s.terms(o).prior.factors[0]
    inverse = factor.solve(torch.eye(12, dtype=torch.float64))
    d = factor.matrices[2] @ inverse
    tau, v = 200.0 * s.log_tau.exp(), s.log_v.exp()
    ends = torch.zeros(12, 12, dtype=torch.float64)
    ends[0, 0] = ends[-1, -1] = 1.0
    given = torch.zeros(12, dtype=torch.float64)
    given[[0, -1]] = o.task.boundary
    u = torch.linalg.solve(
        inverse + tau * ends + v * d.T @ d, tau * given + v * d.T @ o.task.source
    )
    s.u = u.requires_grad_()
    (slope,) = torch.autograd.grad(s.terms(o).loss, s.u)
    far = state(o)
    far.u = torch.randn(12, dtype=torch.float64, requires_grad=True)
    (typical,) = torch.autograd.grad(far.terms(o).loss, far.u)
    assert float(slope.norm()) < 1e-6 * float(typical.norm())


def test_a_frequency_of_zero_stays_zero_and_the_loss_falls() -> None:
    o = objective()
    s = run(o, State.published(o, 4, 2.0), 50)
    assert float(s.axes[0].freq[0]) == 0.0 and len(s.losses) == 50
    assert s.losses[-1] < s.losses[0] - 10


@pytest.mark.parametrize("name", PROBLEMS)
def test_sources_by_finite_differences(name: str) -> None:
    problem, h = PROBLEMS[name], 1e-5
    axes = 1 if "_1d" in name else 2
    at = [torch.tensor([0.31], dtype=torch.float64), torch.tensor([0.22], dtype=torch.float64)][
        :axes
    ]
    u, source = exact(problem, *at)

    def value(axis: int, shift: float) -> float:
        moved = [x + shift if k == axis else x for k, x in enumerate(at)]
        return float(exact(problem, *moved)[0])

    if problem.equation == "advection":
        slopes = [(value(k, h / 100) - value(k, -h / 100)) / (2 * h / 100) for k in range(2)]
        assert problem.beta * slopes[0] + slopes[1] == pytest.approx(float(source), abs=1e-3)
        return
    laplace = sum((value(k, h) - 2 * float(u) + value(k, -h)) / h**2 for k in range(axes))
    cubic = float(u) * (float(u) ** 2 - 1) if problem.equation == "allencahn" else 0.0
    # second differences: h^2 u'''' / 12 and round-off / h^2, of the size of u'' = 1e4 u and more
    assert laplace + cubic == pytest.approx(float(source), rel=1e-3, abs=0.1)


def test_wrong_names_list_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="kernel='RBF', expected one of Matern52_Cos_1d"):
        kernel_named("RBF")
    with pytest.raises(ConfigError, match="equation='heat', expected one of poisson"):
        equation_named("heat")
    with pytest.raises(ConfigError, match="problem='sine', expected one of poisson_1d-single_sin"):
        problem_named("sine")


def test_published_start() -> None:
    p = start(5, 20.0, torch.zeros(1, dtype=torch.float64))
    assert p.freq.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert float(p.log_w.exp().sum()) == pytest.approx(1.0)


def test_batched_objectives_are_those_of_the_instances() -> None:
    """Value and gradients of two instances at once, and one after the other, in two dimensions."""
    x, y = torch.linspace(0, 1, 6).double(), torch.linspace(0, 2, 5).double()
    g = torch.Generator().manual_seed(3)
    source, u = (torch.randn(2, 6, 5, generator=g).double() for _ in range(2))
    given = torch.randn(2, 22, generator=g).double()
    kernels = [[parameters(seed=2 * axis + row) for row in range(2)] for axis in range(2)]
    joint = [
        Parameters(
            *(torch.stack([getattr(p, n) for p in pair]) for n in ("log_w", "log_ls", "freq"))
        )
        for pair in kernels
    ]
    whole = Objective(Task((x, y), source, given, "allencahn"), KERNELS["SE_Cos_1d"])
    zeros = torch.zeros(2).double()
    terms = whole.terms(u, joint, zeros, zeros)
    for row in range(2):
        task = Task((x, y), source[row], given[row], "allencahn")
        alone = Objective(task, KERNELS["SE_Cos_1d"])
        found = alone.terms(u[row], [pair[row] for pair in kernels], zeros[0], zeros[0])
        assert float(terms.loss[row]) == pytest.approx(float(found.loss), rel=1e-10)


def test_sparsity_adds_the_sum_of_weights() -> None:
    plain, sparse = objective(), objective(sparsity=3.0)
    s = state(plain)
    weights = float(s.axes[0].log_w.exp().sum())
    change = float(s.terms(sparse).loss - s.terms(plain).loss)
    assert change == pytest.approx(3 * weights, rel=1e-10)


def test_sparsity_prunes_components() -> None:
    free, pruned = (objective(sparsity=rate) for rate in (0.0, 50.0))
    weights = [float(run(o, State.published(o, 6, 2.0), 300).axes[0].log_w.exp().sum())
               for o in (free, pruned)]  # fmt: skip
    assert weights[1] < 0.5 * weights[0]


def test_corners_count_once_or_twice() -> None:
    assert faces((4, 3)).tolist() == [0, 1, 2, 9, 10, 11, 0, 3, 6, 9, 2, 5, 8, 11]
    assert faces((4, 3), corners_twice=False).tolist() == [0, 1, 2, 3, 5, 6, 8, 9, 10, 11]
    assert len(faces((3, 3, 3), corners_twice=False)) == 26


def test_three_axes() -> None:
    """The factored Laplacian in a box against matrices of the whole grid."""
    points = [torch.linspace(0, 1, n).double() for n in (4, 5, 3)]
    factors = [Factor.of(x, KERNELS["SE_Cos_1d"], parameters(seed=k), 1e-2)
               for k, x in enumerate(points)]  # fmt: skip
    u = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    p = Prior(factors, u)
    laplace = torch.stack([p.derivative(axis, 2) for axis in range(3)]).sum(0)
    dense = torch.stack(posterior.operators(factors, 2)).sum(0) @ u.flatten()
    assert relative(laplace.flatten(), dense) < 1e-9
    noisy = posterior.kron([f.cholesky @ f.cholesky.mT for f in factors])
    assert float(p.logdet) == pytest.approx(float(torch.logdet(noisy)), rel=1e-9)
    assert (
        relative(p.precision_times_values.flatten(), torch.linalg.solve(noisy, u.flatten())) < 1e-8
    )


def test_posterior_is_that_of_the_joint_gaussian() -> None:
    """u ~ N(0, C), g = E u + noise, f = L u + noise: the covariance of u given g and f by the
    textbook formula on the joint covariance, jitter as the gap between u and the field.
    """
    jitter, b, v = 1e-2, 30.0, 0.7
    x = torch.linspace(0, 1, 9).double()
    factor = Factor.of(x, KERNELS["SE_Cos_1d"], parameters(), jitter)
    c = factor.matrices[0] + jitter * torch.eye(9).double()
    operator = factor.matrices[2] @ torch.linalg.inv(c)
    observe = torch.cat([torch.eye(9).double()[[0, -1]], operator])
    noise = torch.diag(torch.cat([torch.full((2,), 1 / b), torch.full((9,), 1 / v)])).double()
    gain = c @ observe.T @ torch.linalg.inv(observe @ c @ observe.T + noise)
    left = c - gain @ observe @ c
    p = factor.matrices[0] @ torch.linalg.inv(c)
    field = p @ left @ p.T + factor.matrices[0] - p @ factor.matrices[0]
    one = torch.tensor(1.0).double()
    h = posterior.precision([factor], operator, torch.tensor([0, 8]), b * one, v * one)
    found = posterior.spread([factor], posterior.root(h))
    assert relative(found, field.diagonal().sqrt()) < 1e-6


def test_jitter_is_raised_in_steps_and_then_refused() -> None:
    long = Parameters(*(torch.tensor([t]).double() for t in (25.0, -30.0, 0.0)))
    x = torch.linspace(0, 1, 40).double()
    kernel = KERNELS["SE_1d"]
    raised = Factor.of(x, kernel, Parameters(long.log_w - 25, long.log_ls, long.freq), 1e-17)
    assert float(raised.jitter) > 1e-17
    with pytest.raises(SolverError, match=r"40 nodes .* jitter up to .* 9\.36e-14 .* length"):
        Factor.of(x, kernel, long, 1e-17)


@pytest.mark.parametrize("equation", ["poisson", "allencahn"])
def test_a_second_process_starts_where_the_first_ends(equation: str) -> None:
    """With zero values its gaps are the first one's, and the two add up in the equation."""
    x = torch.linspace(0, 1, 12).double()
    given = torch.tensor([0.3, -0.2]).double()
    task = Task((x,), torch.cos(4 * x), given, equation)
    first = Objective(task, KERNELS["SE_Cos_1d"])
    zero = torch.zeros(()).double()
    terms = first.terms(torch.sin(x), [parameters()], zero, zero)
    above = Objective(task.above(terms.prior), KERNELS["Matern52_1d"])
    plain = start(1, 0.0, x)
    second = above.terms(torch.zeros(12).double(), [plain], zero, zero)
    assert float(second.boundary_gap) == pytest.approx(float(terms.boundary_gap), rel=1e-10)
    assert float(second.equation_gap) == pytest.approx(float(terms.equation_gap), rel=1e-10)
    added = above.terms(0.1 * torch.cos(x), [plain], zero, zero)
    whole = torch.sin(x) + 0.1 * torch.cos(x)
    residual = terms.prior.derivative(0, 2) + added.prior.derivative(0, 2) - task.source
    residual = residual + whole * (whole.square() - 1) * (equation == "allencahn")
    assert float(added.equation_gap) == pytest.approx(float(residual.square().sum()), rel=1e-10)
