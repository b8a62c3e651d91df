"""The authors' program: objectives, gradients, steps and predictions from recorded arguments."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.equations.exact_solutions import PROBLEMS, exact
from pdebench_gp.fit import State, run
from pdebench_gp.kernel import KERNELS, Parameters, kernel_named
from pdebench_gp.objective import Objective, Task, Terms, edges
from pdebench_gp.process import Factor, Prior

Array = NDArray[Any]
Arrays = Mapping[str, Array]
_STEPS = 20


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {
        key: torch.from_numpy(np.array(value, dtype=np.float64)) for key, value in arrays.items()
    }


def _parameters(t: Mapping[str, Tensor], suffix: str = "") -> Parameters:
    return Parameters(*(t[f"{name}{suffix}"] for name in ("log_w", "log_ls", "freq")))


def _numpy(found: Mapping[str, Tensor]) -> dict[str, Array]:
    return {key: value.detach().numpy() for key, value in found.items()}


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the conditional mean as a function of ``input`` (, ``input_y``) and the nodes."""
    values, kernel = _tensors(state), kernel_named(meta["kernel"])
    jitter = float(meta["jitter"])

    def mean(arrays: Arrays) -> Array:
        t = _tensors(arrays)
        flat = "u" in values
        suffixes = ("",) if flat else ("_1", "_2")
        nodes = [t[name] for name in ("x_col", "y_col")[: len(suffixes)]]
        factors = [
            Factor.of(x, kernel, _parameters(values, suffix), jitter, 0)
            for x, suffix in zip(nodes, suffixes, strict=True)
        ]
        prior = Prior(factors, values["u" if flat else "U"])
        points = [t[name] for name in ("input", "input_y")[: len(suffixes)]]
        return prior.mean(*points).numpy()

    return mean


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return every recorded result that belongs to these arguments."""
    t = _tensors(inputs)
    if "x_grid" in t:
        return _numpy(_problems(meta, t))
    if "extra_u" in t:
        return _numpy(_extra(meta, t))
    if "equation" not in meta:
        return _numpy(_kernels(t) if "y" in t else _kronecker(meta, t))
    if "u" not in t and "U" not in t:
        return _numpy(_converged(meta, t))
    return _numpy(_objective(meta, t))


def _kernels(t: Mapping[str, Tensor]) -> dict[str, Tensor]:
    z, found = t["x"][:, None] - t["y"], {}
    for name, kernel in KERNELS.items():
        k = kernel.at(z, _parameters(t), 4)
        parts = {"kappa": k[0], "dx": k[1], "dy": -k[1], "dxx": k[2], "dxdy": -k[2], "dxxdyy": k[4]}
        found |= {f"{name}/{part}": value for part, value in parts.items()}
    return found


def _kronecker(meta: Mapping[str, Any], t: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kernel, jitter = kernel_named(meta["kernel"]), float(meta["jitter"])
    factors = [
        Factor.of(t[points], kernel, _parameters(t, suffix), jitter)
        for points, suffix in (("x_col", "_1"), ("y_col", "_2"))
    ]
    prior = Prior(factors, t["U"])
    solved = prior.precision_times_values
    noisy = [
        f.matrices[0] + jitter * torch.eye(len(f.points), dtype=torch.float64) for f in factors
    ]
    return {
        "K1": noisy[0],
        "K2": noisy[1],
        "K1inv_U": prior.solved[0],
        "K2inv_Ut": prior.solved[1].T,
        "Cinv_U": solved,
        "quad": (t["U"] * solved).sum(),
        "logdet_C": prior.logdet,
        "U_x": prior.derivative(0, 1),
        "U_y": prior.derivative(1, 1),
        "U_xx": prior.derivative(0, 2),
        "U_yy": prior.derivative(1, 2),
    }


def _task(meta: Mapping[str, Any], t: Mapping[str, Tensor]) -> Task:
    points = tuple(t[name] for name in ("x_col", "y_col") if name in t)
    return Task(points, t["source"], t["boundary"], meta["equation"], float(meta.get("beta", 1.0)))


def _problem(meta: Mapping[str, Any], t: Mapping[str, Tensor]) -> Objective:
    return Objective(
        _task(meta, t),
        kernel_named(meta["kernel"]),
        float(meta["jitter"]),
        float(meta["llk_weight"]),
        bool(meta.get("logdet", True)),
    )


def _objective(meta: Mapping[str, Any], t: dict[str, Tensor]) -> dict[str, Tensor]:
    """Value, gaps, derivatives and gradients at the given parameters, and twenty steps of Adam."""
    objective = _problem(meta, t)
    name, suffixes = ("u", ("",)) if "u" in t else ("U", ("_1", "_2"))
    keys = [name, "log_tau", "log_v"]
    keys += [f"{part}{suffix}" for suffix in suffixes for part in ("log_w", "log_ls", "freq")]
    leaves = {key: t[key].clone().requires_grad_() for key in keys}
    axes = [_parameters(leaves, suffix) for suffix in suffixes]
    terms = objective.terms(leaves[name], axes, leaves["log_tau"], leaves["log_v"])
    slopes = torch.autograd.grad(terms.loss, list(leaves.values()), allow_unused=True)
    found = {
        f"grad_{key}": torch.zeros_like(leaf) if slope is None else slope
        for (key, leaf), slope in zip(leaves.items(), slopes, strict=True)
    }
    found |= _values(terms, name, meta["equation"])
    if "lr" in meta and "Q" in meta and "freq_scale" in meta:
        found |= _steps(meta, t, objective, name, suffixes)
    return found


def _values(terms: Terms, name: str, equation: str) -> dict[str, Tensor]:
    prior = terms.prior
    found = {
        "loss": terms.loss,
        "boundary_gap": terms.boundary_gap,
        "equation_gap": terms.equation_gap,
    }
    if name == "u":
        chol = prior.factors[0].cholesky
        return found | {
            "u_xx": prior.derivative(0, 2),
            "K": chol @ chol.T,
            "Kinv_u": prior.solved[0],
        }
    order = 1 if equation.startswith("advection") else 2
    return found | {
        "derivative_1": prior.derivative(0, order),
        "derivative_2": prior.derivative(1, order),
    }


def _steps(
    meta: Mapping[str, Any],
    t: Mapping[str, Tensor],
    objective: Objective,
    name: str,
    suffixes: tuple[str, ...],
) -> dict[str, Tensor]:
    state = State.published(objective, int(meta["Q"]), float(meta["freq_scale"]))
    run(objective, state, int(meta.get("steps", _STEPS)), float(meta["lr"]))
    found = {
        "adam_losses": torch.tensor(state.losses, dtype=torch.float64),
        f"{name}_after": state.u,
        "log_tau_after": state.log_tau,
        "log_v_after": state.log_v,
    }
    for suffix, axis in zip(suffixes, state.axes, strict=True):
        for part in ("log_w", "log_ls", "freq"):
            found[f"{part}{suffix}_after"] = getattr(axis, part)
    tests = [t[key] for key in ("x_test", "y_test")[: len(suffixes)] if key in t]
    if len(tests) == len(suffixes):
        found["prediction_after"] = objective.prior(state.u, state.axes).mean(*tests)
    return found


def _converged(meta: Mapping[str, Any], t: Mapping[str, Tensor]) -> dict[str, Tensor]:
    objective = _problem(meta, t)
    state = State.published(objective, int(meta["Q"]), float(meta["freq_scale"]))
    run(objective, state, int(meta["steps"]), float(meta["lr"]))
    tests = [t[key] for key in ("x_test", "y_test") if key in t]
    return {"prediction": objective.prior(state.u, state.axes).mean(*tests)}


def _extra(meta: Mapping[str, Any], t: dict[str, Tensor]) -> dict[str, Tensor]:
    """The second stage: a plain process with one component on top of a frozen first one."""
    task, jitter = _task(meta, t), float(meta["jitter"])
    first, second = (kernel_named(meta[key]) for key in ("kernel", "kernel_extra"))
    frozen = Prior([Factor.of(task.points[0], first, _parameters(t), jitter)], t["u"])
    names = ("u", "log_tau", "log_v", "log_w", "log_ls")
    leaves = {name: t[f"extra_{name}"].clone().requires_grad_() for name in names}
    axis = Parameters(leaves["log_w"], leaves["log_ls"], torch.zeros_like(leaves["log_w"]))
    objective = Objective(task.above(frozen), second, jitter, float(meta["llk_weight"]))
    terms = objective.terms(leaves["u"], [axis], leaves["log_tau"], leaves["log_v"])
    slopes = torch.autograd.grad(terms.loss, list(leaves.values()), retain_graph=True)
    found = {
        "loss": terms.loss,
        "boundary_gap": terms.boundary_gap,
        "equation_gap": terms.equation_gap,
        "prediction": frozen.mean(t["x_test"]) + terms.prior.mean(t["x_test"]),
    }
    return found | {f"grad_extra_{n}": s for n, s in zip(names, slopes, strict=True)}


def _problems(meta: Mapping[str, Any], t: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, problem in PROBLEMS.items():
        flat = "_1d" in name
        grid = t["x_grid_advection" if problem.equation == "advection" else "x_grid"]
        axes = (t["x"],) if flat else (grid, grid)
        beta = float(meta["beta"]) if problem.equation == "advection" else None
        u, source = exact(problem, *axes, beta=beta)
        found |= {f"{name}/u": u, f"{name}/source": source}
        if not flat:
            found[f"{name}/boundary"] = edges(u)
    return found
