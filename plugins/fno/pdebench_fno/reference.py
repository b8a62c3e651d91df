"""Build our networks from the weights of the authors' programs, and evaluate their functions.

`from_reference(meta, state)` returns a function arrays -> output for one recorded network,
`evaluate(meta, inputs)` the results of recorded functions.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_fno import losses
from pdebench_fno.generator import crank_nicolson_euler, gaussian_field_deviation
from pdebench_fno.implicit import IFNO
from pdebench_fno.optimiser import ComplexAdam
from pdebench_fno.weights import (
    Array,
    Arrays,
    classic_network,
    implicit_network,
    library_network,
    official_state,
)


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the recorded network as a function of the archive's arrays.

    Raises ConfigError naming missing or surplus weights.
    """
    name = str(meta.get("cls", ""))
    if name.startswith("neuralop"):
        network = library_network(meta, state)
        return lambda arrays: _run(network, arrays["input"], channels_last=False)
    if name == "FNO4d":
        network = implicit_network(meta, state)
        return lambda arrays: _implicit(network, arrays["input"])
    if re.fullmatch(r"FNO[123]d", name):
        network = classic_network(meta, state)
        return lambda arrays: _run(network, arrays["input"], channels_last=True)
    raise ConfigError(
        f"meta['cls']={name!r}, expected FNO1d, FNO2d, FNO3d, FNO4d or a neuralop model"
    )


def _run(network: nn.Module, x: Array, channels_last: bool) -> Array:
    field = torch.as_tensor(np.asarray(x)).float()
    with torch.no_grad():
        y = network(field.movedim(-1, 1) if channels_last else field)
    return (y.movedim(1, -1) if channels_last else y).numpy()


def _implicit(network: IFNO, x: Array) -> Array:
    """Map (B, nx, ny, nz, component, frame) to (B, nx, ny, nz, component, 1)."""
    return _run(network, x, channels_last=True)


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return every recorded result of a function archive under its own names."""
    names = set(inputs)
    if {"w0", "forcing"} <= names:
        return _generator(meta, inputs)
    if {"y_pred", "y"} <= names:
        return _library_losses(inputs)
    if {"x", "y"} <= names:
        return _published_losses(inputs)
    if {"input", "target"} <= names:
        return _adam(meta, inputs)
    raise ConfigError(f"inputs {sorted(names)} belong to no function of this family")


def _generator(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    w0, forcing = (torch.as_tensor(np.asarray(inputs[name])) for name in ("w0", "forcing"))
    sol, times = crank_nicolson_euler(
        w0,
        forcing,
        float(meta["visc"]),
        float(meta["T"]),
        float(meta["delta_t"]),
        int(meta["record_steps"]),
    )
    deviation = gaussian_field_deviation(int(meta["s"]), float(meta["alpha"]), float(meta["tau"]))
    return {"sol": sol.numpy(), "t": times.numpy(), "grf_sqrt_eig": deviation.numpy()}


def _published_losses(inputs: Arrays) -> dict[str, Array]:
    x, y = (torch.as_tensor(np.asarray(inputs[name])) for name in ("x", "y"))
    relative = losses.relative_lp(x, y)
    pointwise = losses.Standardised(y, over=(0,))  # normalisers are fitted on y and applied to x
    results = {
        "lp_sum": relative.sum(),
        "lp_mean": relative.mean(),
        "lp_none": relative,
        "lp_p1_mean": losses.relative_lp(x, y, 1).mean(),
        "lp_abs_mean": losses.absolute_lp(x, y).mean(),
        "hs_k1": losses.relative_sobolev(x, y, 1),
        "hs_k2": losses.relative_sobolev(x, y, 2),
        "hs_k1_group": losses.relative_sobolev(x, y, 1, group=True),
        "ugn_mean": pointwise.mean,
        "ugn_std": pointwise.std,
        "ugn_encode": pointwise.encode(x),
        "ugn_decode": pointwise.decode(x),
        "gn_encode": losses.Standardised(y).encode(x),
        "rn_encode": losses.Ranged(y).encode(x),
    }
    return {name: value.numpy() for name, value in results.items()}


def _library_losses(inputs: Arrays) -> dict[str, Array]:
    p, y = (torch.as_tensor(np.asarray(inputs[name])) for name in ("y_pred", "y"))
    results: dict[str, Tensor] = {}
    for reduction in ("sum", "mean"):
        for dim in range(1, p.ndim):
            results[f"lp_d{dim}_{reduction}"] = losses.library_lp(p, y, dim, reduction)
            results[f"lpabs_d{dim}_{reduction}"] = losses.library_lp(
                p, y, dim, reduction, relative=False
            )
            if dim < p.ndim - 1:
                results[f"h1_d{dim}_{reduction}"] = losses.library_h1(p, y, dim, reduction)
                results[f"h1_d{dim}_nonper_{reduction}"] = losses.library_h1(
                    p, y, dim, reduction, periodic=False
                )
    return {name: value.numpy() for name, value in results.items()}


def _adam(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Five full-batch steps with either Adam."""
    state = {
        key.removeprefix("state/"): value
        for key, value in inputs.items()
        if key.startswith("state/")
    }
    x = torch.as_tensor(np.asarray(inputs["input"])).movedim(-1, 1)
    target = torch.as_tensor(np.asarray(inputs["target"]))
    results: dict[str, Array] = {}
    for name, make in (("legacy", ComplexAdam), ("torch", torch.optim.Adam)):
        network = classic_network(
            {**meta, "cls": "FNO2d", "script": "fourier_2d.py"}, state
        ).train()
        optimizer = make(network.parameters(), lr=1e-3, weight_decay=1e-4)
        values = []
        for _ in range(5):
            optimizer.zero_grad()
            loss = losses.relative_lp(network(x).flatten(1), target.flatten(1)).sum()
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        results[f"losses_{name}"] = np.asarray(values, np.float32)
        with torch.no_grad():
            results[f"out_after5_{name}"] = network(x).movedim(1, -1).numpy()
        results |= {f"after5_{name}/{key}": value for key, value in official_state(network).items()}
    return results
