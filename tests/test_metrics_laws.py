"""Laws that every metric of the package must obey, whatever it measures."""

import importlib
import pkgutil

import pytest
import torch
from torch import Tensor

import pdebench.metrics
from pdebench.domain import Axis, Grid, Mesh, Points
from pdebench.equation import Equation
from pdebench.errors import DataError, Unsupported
from pdebench.metric import Metric
from pdebench.metrics.rollouts import final, finite_time, window
from pdebench.problem import Problem, Solution
from pdebench.running import Running

BATCH_BOUND = ("pdebench_", "cfdbench_")  # published scores that depend on the batch, and say so


class Flow(Equation):
    """Fields u, v of a steady law u = v, so that a residual exists."""

    @property
    def fields(self):
        return {"u": "m/s", "v": "m/s"}

    @property
    def reference(self):
        return "none"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        return u.diff(dim=-len(problem.domain.shape) - 1)


def every_metric() -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for module in pkgutil.walk_packages(pdebench.metrics.__path__, "pdebench.metrics."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Metric):
                found[value.name] = value
    for module, name, arguments in FACTORIES:
        made = getattr(importlib.import_module(f"pdebench.metrics.{module}"), name)(*arguments)
        found[made.name] = made
    return found


FACTORIES = [
    ("correlation", "correlation_time", (0.8,)),
    ("rollouts", "valid_time", (0.5,)),
    ("fourier", "fourier_rmse", (1, 5, 1)),
    ("fourier", "fourier_nrmse", (0, None, 0)),
    ("fourier", "fourier_nmse", (0, 3, 0)),
    ("fourier", "fourier_srmse", (0, 3, 2)),
    ("spectra", "binned_mse", (2, 3)),
    ("uncertainty", "coverage_gap", (0.5,)),
    ("uncertainty", "sharpness", (0.5,)),
    ("increments", "increment_error", (2,)),
    ("trajectories", "dtw", (2,)),
]
# scores of the field; counts of steps (needs: nothing) say what a solver did
METRICS = {name: found for name, found in every_metric().items() if found.needs}
DEFAULTS = {n: m for n, m in METRICS.items() if ".published." not in n}


def channel() -> Grid:
    return Grid((Axis.torus(32, 6.0), Axis.chebyshev(30)))


def mesh(n: int = 12) -> Mesh:
    """A square of n x n x 2 triangles, its rim marked."""
    x = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    nodes = torch.cartesian_prod(x, x)
    corner = (torch.arange(n)[:, None] * (n + 1) + torch.arange(n)).reshape(-1)
    lower = torch.stack([corner, corner + n + 1, corner + 1], 1)
    upper = torch.stack([corner + n + 1, corner + n + 2, corner + 1], 1)
    rim = ((nodes == 0) | (nodes == 1)).any(1)
    return Mesh(nodes, torch.cat([lower, upper]), rim)


def cloud() -> Points:
    generator = torch.Generator().manual_seed(5)
    return Points(torch.rand(120, 2, generator=generator, dtype=torch.float64))


DOMAINS = {
    "torus": Grid.torus((32, 28), (1.0, 2.0)),
    "channel": channel(),
    "mesh": mesh(),
    "cloud": cloud(),
}


def case(where: str, seed: int = 0, batch: int = 3, dtype=torch.float32, steady: bool = False):
    """A problem, a target and a prediction 10 % off, with a spread."""
    generator = torch.Generator().manual_seed(seed)
    domain = DOMAINS[where]
    lead = (batch, 2) if steady else (batch, 6, 2)
    y = torch.randn(*lead, *domain.shape, generator=generator).to(dtype)
    p = y + 0.1 * torch.randn(y.shape, generator=generator).to(dtype)
    first = y if steady else y[:, 0]
    if steady:
        problem = Problem(Flow(), domain, {"a": first})
    else:
        clock = 0.5 * torch.arange(1, 7, dtype=torch.float64)
        problem = Problem(Flow(), domain, {"a": first}, times=clock)
    return problem, y, Solution(p, spread=torch.full_like(p, 0.1))


def refused(metric: Metric, where: str) -> bool:
    """Whether the metric has no value on this domain: stated here, so that no refusal hides a
    bug.
    """
    grid, flow = where in ("torus", "channel"), metric.short in ("divergence", "enstrophy_drift")
    return (
        ("torus" in metric.needs and where != "torus")
        or ("walls" in metric.needs and where != "channel")
        or ("boundary" in metric.needs and where not in ("channel", "mesh"))
        or ((flow or "pdebench_" in metric.name) and not grid)
        or (metric.short.startswith("h1") and where == "cloud")
    )


def applicable(metric: Metric) -> list[str]:
    return [where for where in DOMAINS if not refused(metric, where)]


def relative(metric: Metric) -> bool:
    return metric.unit == "1"


def judges_distance(metric: Metric) -> bool:
    return "target" in metric.needs and not metric.short.startswith("coverage_gap")


def worst(metric: Metric) -> tuple[float, ...]:
    if metric.better == "higher":
        return (-1.0, 0.0)  # correlations, times of validity
    if "coverage_gap" in metric.name:
        return (-0.95, -0.5)  # covers nothing
    return (float("inf"),)


def test_names_are_unique_and_short_names_too():
    assert len({m.short for m in METRICS.values()}) == len(METRICS) >= 70
    assert all("." not in m.short and m.__doc__ for m in METRICS.values())


@pytest.mark.parametrize("name", METRICS)
def test_scores_are_per_sample_finite_and_wide(name: str):
    for where in DOMAINS:
        problem, y, solution = case(where)
        if refused(METRICS[name], where):
            with pytest.raises(Unsupported, match=r"\w+ \w+"):
                METRICS[name](solution, y, problem)
            continue
        values = METRICS[name](solution, y, problem)
        assert values.ndim in (1, 2) and len(values) == 3
        assert values.dtype == torch.float64
        assert bool(values.isfinite().all())


WHOLE = {"residual", "histogram_w1", "dtw_2", "dtw_10", "the_well_histogram_w1", "the_well_dtw"}


def test_which_metrics_need_the_whole_trajectory():
    assert {m.short for m in METRICS.values() if m.fold is None} == WHOLE


@pytest.mark.parametrize("blocks", [(1,) * 6, (2, 3, 1), (6,)])
@pytest.mark.parametrize("name", METRICS)
def test_frames_that_come_block_by_block_score_as_the_whole(name: str, blocks: tuple[int, ...]):
    """To round-off of float64; what needs the whole gets it, from a buffer that is used again."""
    metric = METRICS[name]
    for where in applicable(metric):
        problem, y, solution = case(where)
        assert solution.spread is not None
        running, start = Running([metric], problem), 0
        held = torch.empty_like(y[:, : max(blocks)])
        for size in blocks:
            part = slice(start, start + size)
            block = held[:, :size].copy_(solution.u[:, part])
            running.add(Solution(block, solution.spread[:, part]), y[:, part])
            start += size
        whole, got = metric(solution, y, problem), running.scores()[metric.short]
        assert got.shape == whole.shape and got.dtype == whole.dtype
        # absolute: `coverage_gap` is the difference of two numbers of order one
        assert torch.allclose(got, whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["errors.nrmse", "correlation.pearson"])
def test_derived_metrics_are_gathered_as_their_base(name: str):
    module, _, base = name.partition(".")
    metric = getattr(importlib.import_module(f"pdebench.metrics.{module}"), base)
    problem, y, solution = case("torus")
    running = Running([window(metric, 1, 5), final(metric), window(metric, 4, 9)], problem)
    for start in (0, 2, 4):
        running.add(Solution(solution.u[:, start : start + 2]), y[:, start : start + 2])
    curve, found = metric(solution, y, problem), running.scores()
    assert torch.equal(found[f"{base}_1_5"], curve[:, 1:5].mean(1))
    assert torch.equal(found[f"{base}_final"], curve[:, -1])
    assert running.refused == {f"{base}_4_9": "frames 4:9 of a rollout of 6 frames"}


def test_the_time_of_a_blow_up_is_a_score():
    problem, y, solution = case("torus")
    u = solution.u.clone()
    u[1, 3, 0, 2, 2] = float("inf")
    u[2, 0] = float("nan")
    assert finite_time(Solution(u), y, problem).tolist() == [3.0, 1.5, 0.0]


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_score_does_not_depend_on_the_batch(name: str):
    metric = DEFAULTS[name]
    for where in applicable(metric):
        problem, y, solution = case(where)
        whole = metric(solution, y, problem)
        for b in range(3):
            alone = Solution(solution.u[b : b + 1], solution.spread[b : b + 1])
            one = metric(alone, y[b : b + 1], problem.take(slice(b, b + 1)))
            # float64 sums whose blocks are cut elsewhere; transforms run in float32
            torch.testing.assert_close(one[0], whole[b], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if judges_distance(m)])
def test_the_exact_answer_scores_best(name: str):
    metric = METRICS[name]
    walls = bool(metric.needs & {"walls", "boundary"})
    problem, y, _ = case("channel" if walls else "torus")
    values = metric(Solution(y.clone(), torch.zeros_like(y)), y, problem)
    if metric.better == "higher":
        expected = torch.ones_like(values) if values.ndim == 2 else 3.0 * torch.ones_like(values)
        if "the_well_pearson" in name:
            expected *= (32 * 28 - 1) / (32 * 28)  # the published defect
        torch.testing.assert_close(values, expected, rtol=1e-6, atol=0)  # its 1e-7 below
    else:
        assert float(values.abs().max()) == 0.0


@pytest.mark.parametrize("kind", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", DEFAULTS)
def test_a_diverged_prediction_scores_worst(name: str, kind: float):
    """One bad frame of one sample: its score is the worst, the other samples' scores stay."""
    metric = DEFAULTS[name]
    for where in applicable(metric):
        problem, y, solution = case(where)
        broken = solution.u.clone()
        broken[1, 2:] = kind
        clean = metric(solution, y, problem)
        got = metric(Solution(broken, solution.spread), y, problem)
        assert not bool(got.isnan().any())
        torch.testing.assert_close(got[[0, 2]], clean[[0, 2]], rtol=1e-9, atol=0)
        if got.ndim == 2:
            torch.testing.assert_close(got[1, :2], clean[1, :2], rtol=1e-9, atol=0)
            bad = got[1, 2:]
        else:
            bad = got[1:2]
        if metric.needs & {"spread"} and not metric.needs & {"target"}:
            continue  # sharpness never sees the prediction
        if name.startswith(("pdebench.correlation_time", "pdebench.valid_time")):
            assert float(bad[0]) <= 1.0  # two good frames, 0.5 s apart
        else:
            assert all(any(abs(float(v)) == abs(w) for w in worst(metric)) for v in bad.flatten())


@pytest.mark.parametrize("name", DEFAULTS)
def test_vanishing_targets_never_give_nan(name: str):
    metric = DEFAULTS[name]
    for where in applicable(metric):
        problem, y, solution = case(where)
        zero = torch.zeros_like(y)
        for u in (zero, solution.u):
            values = metric(Solution(u, solution.spread), zero, problem)
            assert not bool(values.isnan().any())
            if metric.needs == {"target"} and relative(metric) and metric.better == "lower":
                bounded = metric.short in ("srmse", "smse", "smae")  # the prediction is scale, too
                expected = 0.0 if u is zero else (metric.short == "smse" or 1) * 2.0
                expected = expected if u is zero or bounded else float("inf")
                assert bool((values == expected).all()), metric.name


@pytest.mark.parametrize("name", [n for n, m in DEFAULTS.items() if relative(m)])
def test_relative_scores_do_not_know_the_unit(name: str):
    metric = DEFAULTS[name]
    for where in applicable(metric):
        problem, y, solution = case(where, dtype=torch.float64)
        expected = metric(solution, y, problem)
        factor = 2.0**40  # exact in binary: the scores agree to the last digits
        got = metric(Solution(factor * solution.u, factor * solution.spread), factor * y, problem)
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", DEFAULTS)
def test_mixed_precision_is_accepted(name: str):
    metric = DEFAULTS[name]
    for where in applicable(metric):
        problem, y, solution = case(where)
        # numbers that every type holds exactly, so that the scores must agree
        y = (y * 64).round().clamp(-500, 500) / 64
        u = y + (solution.u - y).mul(64).round() / 64
        spread = torch.full_like(u, 0.125)
        expected = metric(Solution(u.double(), spread.double()), y.double(), problem)
        for first, second in ((torch.float16, torch.float64), (torch.float16, torch.float32)):
            got = metric(Solution(u.to(first), spread.to(first)), y.to(second), problem)
            # float32 transforms; everything else is exact
            torch.testing.assert_close(got, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if "target" in m.needs])
def test_bad_targets_and_shapes_are_refused(name: str):
    metric = METRICS[name]
    problem, y, solution = case(applicable(metric)[0])
    metric(solution, y, problem)
    broken = y.clone()
    broken[0, 0, 0, ..., 0] = float("nan")
    with pytest.raises(DataError, match="NaN or infinity in 1 of 3"):
        metric(solution, broken, problem)
    with pytest.raises(ValueError, match="shape"):
        metric(Solution(solution.u[:, :2], solution.spread), y, problem)


@pytest.mark.parametrize("name", METRICS)
def test_steady_problems_have_one_frame(name: str):
    metric = METRICS[name]
    for where in applicable(metric):
        problem, y, solution = case(where, steady=True)
        if metric.needs & {"times"}:
            with pytest.raises(Unsupported, match="steady"):
                metric(solution, y, problem)
            continue
        values = metric(solution, y, problem)
        assert values.shape in ((3,), (3, 1))


@pytest.mark.parametrize("name", METRICS)
def test_one_sample_and_one_frame_suffice(name: str):
    metric = METRICS[name]
    problem, y, solution = case(applicable(metric)[0])
    short = Problem(problem.law, problem.domain, {"a": y[:1, 0]}, times=problem.times[:1])
    one = Solution(solution.u[:1, :1], solution.spread[:1, :1])
    values = metric(one, y[:1, :1], short)
    assert len(values) == 1 and bool(values.isfinite().all())
