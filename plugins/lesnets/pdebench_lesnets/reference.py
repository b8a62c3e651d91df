"""The authors' programs, from their weights and inputs."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations import closures, tensors
from pdebench.equations.differences import Scheme, defects
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.filters import filtered
from pdebench.metrics.increments import increments
from pdebench.spectral import Modes
from pdebench_lesnets import pino
from pdebench_lesnets.coefficient import best_coefficient
from pdebench_lesnets.frames import encoded, rollout
from pdebench_lesnets.released import Program
from pdebench_lesnets.weights import network_of

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Meta = Mapping[str, Any]


def from_reference(meta: Meta, state: Arrays) -> Callable[[Arrays], Array]:
    """Return the released network as a function of ``input``, channels where its authors put them.

    LESnets: (B, X, Y, Z, 7, T) -> (B, X, Y, Z, 3, T). PINO: (B, *S, T, C_in) -> (B, *S, T, C_out).
    """
    network = network_of(meta, state)
    place = -2 if "modes4" in meta["kwargs"] else -1

    def call(arrays: Arrays) -> Array:
        x = torch.from_numpy(np.asarray(arrays["input"])).movedim(place, 1)
        with torch.inference_mode():
            return network(x).movedim(1, place).numpy()

    return call


def roll_out(meta: Meta, state: Arrays, u0: Array, frames: int, blocks: int) -> Array:
    """Return the released inference loop from u0 (B, X, Y, Z, 3), (B, X, Y, Z, 3, 1 + n T)."""
    network = network_of(meta, state)
    with torch.inference_mode():
        u = rollout(network, torch.from_numpy(u0).movedim(-1, 1), frames, blocks)
    return u.movedim(1, -2).numpy()


def evaluate(meta: Meta, inputs: Arrays) -> dict[str, Array]:
    """Return every recorded result of a file of functions; which one, its inputs tell."""
    for name, form in (
        ("u_tml", _losses),
        ("cs_data", _training),
        ("vorticity", _pino),
        ("edges", _increments),
        ("force", _residuals),
        ("u", _large_eddies),
    ):
        if name in inputs:
            found = form(meta, inputs)
            return {key: np.asarray(value) for key, value in found.items()}
    return {}


def _ours(u: Array) -> Tensor:
    """(B, X, Y, Z, 3, T) -> (B, T, 3, X, Y, Z)."""
    return torch.from_numpy(np.asarray(u)).permute(0, 5, 4, 1, 2, 3)


def _theirs(u: Tensor) -> Array:
    return u.permute(0, 3, 4, 5, 2, 1).numpy()


def _losses(meta: Meta, inputs: Arrays) -> dict[str, Any]:
    box, step = (2 * math.pi,) * 3, float(meta["dt"])
    right = Program(box, meta["delta"], meta["nu"], meta["cs2"])
    small = dataclasses.replace(right, small_divergence=True)
    released = dataclasses.replace(small, swapped=True)
    u = _ours(inputs["u"])
    residual, divergence = right.residual(u, step), right.divergence(u)
    forced = right.forced_defect(u[:1], step, meta["force_shell_energies"])
    layer = Program(
        tuple(meta["box_tml"]), meta["delta_tml"], meta["nu_tml"], meta["cs2_tml"], 1e-5, False
    )
    v = _ours(inputs["u_tml"])
    grid = torch.from_numpy(inputs["cs2_grid"].copy()).requires_grad_()
    losses = torch.stack(
        [dataclasses.replace(small, coefficient=c).loss(u, step, "mixed") for c in grid]
    )
    (slopes,) = torch.autograd.grad(losses.sum(), grid)
    return {
        "dhit_residual": _theirs(residual),
        "dhit_divergence": _theirs(divergence.unsqueeze(2)),
        "dhit_loss_terms": np.array([residual.square().mean(), divergence.square().mean()]),
        "dhit_loss_released": released.loss(u, step),
        "dhit_residual_mixed": _theirs(right.residual(u, step, "mixed")),
        "dhit_loss_mixed": small.loss(u, step, "mixed"),
        "hit_defect": _theirs(forced),
        "hit_loss": forced.square().mean(),
        "tml_residual": _theirs(layer.residual(v, step)),
        "tml_divergence": _theirs(layer.divergence(v).unsqueeze(2)),
        "tml_loss": layer.loss(v, step),
        "cs2_loss": losses.detach(),
        "cs2_gradient": slopes,
        "cs2_optimum": best_coefficient(
            lambda c: dataclasses.replace(small, coefficient=c).residual(u, step, "mixed")
        ),
    }


def _training(meta: Meta, inputs: Arrays) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, swapped, learned in (
        ("known", False, False),
        ("known_released", True, False),
        ("learned", False, True),
    ):
        for key, value in _trained(meta, inputs, swapped, learned).items():
            found["cs2_final" if key == "cs2_final" else f"{key}_{name}"] = value
    return found


def _trained(meta: Meta, inputs: Arrays, swapped: bool, learned: bool) -> dict[str, Any]:
    state = {k.removeprefix("state/"): v for k, v in inputs.items() if k.startswith("state/")}
    network = network_of(meta, state).train()
    program = Program(
        (2 * math.pi,) * 3,
        meta["delta"],
        meta["nu"],
        meta["cs2"],
        swapped=swapped,
        small_divergence=True,
    )
    scheme: Scheme = "mixed" if learned else "central"
    step, frames = float(meta["dt"]), int(meta["frames"])
    c = torch.nn.Parameter(torch.tensor(float(state["param"])))
    data = _ours(inputs["cs_data"])
    groups = [torch.optim.Adam(network.parameters(), lr=meta["lr"])]
    if learned:
        groups.append(torch.optim.Adam([c], lr=meta["cs_lr"]))
    schedules = [
        torch.optim.lr_scheduler.MultiStepLR(o, meta["milestones"], meta["gamma"]) for o in groups
    ]
    losses, data_losses, values = [], [], []
    fields = torch.from_numpy(inputs["u0"]).movedim(-1, 1)
    for e in range(int(meta["iterations"])):
        u0 = fields[e : e + 1]
        used = dataclasses.replace(program, coefficient=c) if learned else program
        block = torch.cat([u0.unsqueeze(-1), network(encoded(u0, frames))], -1)
        loss = used.loss(block.movedim(-1, 1), step, scheme)
        losses.append(float(loss.detach()))
        if learned:
            data_loss = used.loss(data, step, scheme)
            data_losses.append(float(data_loss.detach()))
            values.append(float(c.detach()))
            loss = loss + meta["cs_weight"] * data_loss
        for optimizer in groups:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in groups:
            optimizer.step()
        for schedule in schedules:
            schedule.step()
    with torch.no_grad():
        output = network(encoded(fields[:1], frames)).movedim(1, -2).numpy()
    found: dict[str, Any] = {"loss": np.array(losses), "output": output}
    if learned:
        found |= {"cs_loss": data_losses, "cs2": values, "cs2_final": float(c.detach())}
    return found


def _modes(meta: Meta, u: Array) -> tuple[Modes, Grid]:
    grid = Grid.torus(u.shape[-3:], float(meta["L"]))
    return Modes.of(grid.shape, grid.extent), grid


def _residuals(meta: Meta, inputs: Arrays) -> dict[str, Any]:
    modes, _ = _modes(meta, inputs["u"])
    u, force = (torch.from_numpy(inputs[name]) for name in ("u", "force"))
    smagorinsky = closures.Smagorinsky(meta["delta"], meta["Cs"] ** 2)
    plain, dealiased, bare = (
        FilteredNavierStokes(closure, dealias).tendency(u, meta["nu"], modes, given)
        for closure, dealias, given in (
            (smagorinsky, "none", force),
            (smagorinsky, "two_thirds", force),
            (closures.NoClosure(), "two_thirds", None),  # recorded without model and without force
        )
    )

    def defect(rates: Tensor, scheme: Scheme) -> Tensor:
        used = rates[1:-1] if scheme == "central" else rates
        return defects(u[None], used[None], float(meta["dt"]), scheme)[0]

    return {
        "rhs": plain,
        "rhs_dealiased": dealiased,
        "rhs_no_model_dealiased": bare,
        "residual_central": defect(plain, "central"),
        "residual_central_dealiased": defect(dealiased, "central"),
        "residual_crank_nicolson_dealiased": defect(dealiased, "crank_nicolson"),
    }


def _large_eddies(meta: Meta, inputs: Arrays) -> dict[str, Any]:
    modes, grid = _modes(meta, inputs["u"])
    u = torch.from_numpy(inputs["u"])
    width = float(meta["delta"])
    u_hat = modes.forward(u)
    s = tensors.strain(u_hat, modes)
    tau = closures.Smagorinsky(width, meta["Cs"] ** 2).stress(u, u_hat, modes)
    gradient = closures.GradientModel(width).stress(u, u_hat, modes)
    assert tau is not None
    assert gradient is not None
    g = tensors.gradient(u_hat, modes)
    w = torch.stack([g[:, b, a] - g[:, a, b] for a, b in ((1, 2), (2, 0), (0, 1))], 1)
    kinds = ("gaussian", "box", "sharp")
    found: dict[str, Any] = {
        "tau_smagorinsky": tensors.unpacked(tau, modes),
        "tau_gradient": tensors.unpacked(gradient, modes),
        "nu_t_wale": closures.Wale(width, meta["Cw"]).eddy_viscosity(u_hat, modes),
        "sgs_dissipation": -tensors.contracted(tau, s, modes).mean((-3, -2, -1)),
        "vorticity": w,
        "dissipation": 2 * meta["nu"] * tensors.contracted(s, s, modes).mean((-3, -2, -1)),
        "kinetic_energy": u.square().sum(1).mean((-3, -2, -1)) / 2,
        "energy_spectrum": _shells(u, grid),
        "structure_function_2": torch.stack(
            [
                increments(u, grid, lag)[:, 0].square().mean((-3, -2, -1))  # along x
                for lag in range(1, grid.shape[0] // 2 + 1)
            ],
            -1,
        ),
    }
    for kind in kinds:
        dynamic = closures.DynamicSmagorinsky(width, kind)
        found[f"dynamic_c_{kind}"] = dynamic.coefficient(u, u_hat, modes)
        found[f"filtered_{kind}"] = filtered(u, kind, width, modes)
    return found


def _shells(u: Tensor, grid: Grid) -> Tensor:
    """Return the energy of shells rint|n| = 0 .. N/2, the last one incomplete."""
    n = grid.shape[0]
    line = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
    radius = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).norm(dim=0)
    shell = radius.round().long().flatten()
    power = torch.fft.fftn(u, dim=(-3, -2, -1), norm="forward").abs().square().sum(1).flatten(1)
    total = power.new_zeros(len(u), int(shell.max()) + 1).index_add_(1, shell, power / 2)
    return total[:, : n // 2 + 1]


def _increments(meta: Meta, inputs: Arrays) -> dict[str, Any]:
    _, grid = _modes(meta, inputs["u"])
    u = torch.from_numpy(inputs["u"])
    edges = torch.from_numpy(inputs["edges"])
    rms = u.square().mean((1, 2, 3, 4)).sqrt()
    longitudinal = {lag: increments(u, grid, lag).flatten(1) for lag in meta["lags"]}
    across = {
        lag: torch.stack(
            [u[:, i].roll(-lag, j - 3) - u[:, i] for i in range(3) for j in range(3) if i != j], 1
        ).flatten(1)
        for lag in meta["lags"]
    }

    def moments(rows: Mapping[int, Tensor], order: int) -> Tensor:
        return torch.stack([d.pow(order).mean(1) for d in rows.values()], 1)

    vorticity = _large_eddies({**meta, "delta": 1.0, "Cs": 0.1, "Cw": 0.5, "nu": 1.0}, inputs)
    size = torch.as_tensor(vorticity["vorticity"]).norm(dim=1).flatten(1)
    size = size / size.square().mean(1, keepdim=True).sqrt()
    return {
        "increment_pdf": torch.stack(
            [
                torch.stack([_density(d[t] / rms[t], edges) for d in longitudinal.values()])
                for t in range(len(u))
            ]
        ),
        "structure_2": moments(longitudinal, 2),
        "structure_3": moments(longitudinal, 3),
        "flatness": moments(longitudinal, 4) / moments(longitudinal, 2) ** 2,
        "structure_2_transverse": moments(across, 2),
        "vorticity_pdf": torch.stack(
            [_density(row, torch.linspace(0, 4, 21, dtype=torch.float64)) for row in size]
        ),
    }


def _density(values: Tensor, edges: Tensor) -> Tensor:
    counts = np.histogram(values.numpy(), edges.numpy())[0]
    return torch.from_numpy(counts / values.numel()) / edges.diff()


def _pino(meta: Meta, inputs: Arrays) -> dict[str, Any]:
    nu, duration = float(meta["viscosity"]), float(meta["t_interval"])
    w, initial = (torch.from_numpy(inputs[name]) for name in ("vorticity", "initial"))
    n = w.shape[1]
    y = torch.from_numpy(2 * math.pi * np.arange(n) / n).float()  # recorded in single precision
    forcing = (-4 * torch.cos(4 * y)).double().expand(n, n).reshape(1, n, n, 1)
    residual = pino.vorticity_residual(w.movedim(-1, 1), nu, duration).movedim(1, -1)
    u, v, a = (torch.from_numpy(inputs[name]) for name in ("burgers_u", "darcy_u", "darcy_a"))
    burgers = pino.burgers_residual(u, nu, 1.0)  # the released form knows no other duration
    darcy = pino.darcy_operator(v, a)
    first = u[:, 0]
    given = first + 0.1
    return {
        "forcing": forcing,
        "vorticity_residual": residual,
        "loss_ic": pino.relative(w[..., 0], initial),
        "loss_equation": pino.relative(residual, forcing.expand_as(residual)),
        "burgers_residual": burgers,
        "burgers_loss_ic": (first - given).square().mean(),
        "burgers_loss_equation": burgers.square().mean(),
        "darcy_operator": darcy,
        "darcy_loss": pino.relative(darcy, torch.ones_like(darcy)),
    }
