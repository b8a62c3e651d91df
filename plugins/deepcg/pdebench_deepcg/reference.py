"""The authors' program, from its weights (github.com/ayano721/2023_DCDM at 8cee1c5)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from pdebench.equations.pressure import assembled, product
from pdebench.errors import ConfigError, DataError
from pdebench_deepcg.directions import conjugate_directions
from pdebench_deepcg.lanczos import lanczos, mixtures, ritz
from pdebench_deepcg.loss import residual_after_step
from pdebench_deepcg.network import DirectionNetwork

Array = NDArray[Any]
Arrays = Mapping[str, Array]
_SIZES = {15: (1, 3, 2), 23: (2, 5, 3)}  # convolutions -> residual blocks: fine, coarse, up


def network_of(state: Arrays) -> DirectionNetwork:
    """Return the released network with its weights, whose kernels are (X, Y, Z, in, out).

    Raises DataError naming missing or unknown keys.
    """
    convs = sorted({int(m[1]) for key in state if (m := re.match(r"conv3d_(\d+)/", key))})
    if len(convs) not in _SIZES:
        raise DataError(
            f"the weights hold {len(convs)} convolutions, expected one of {sorted(_SIZES)}"
        )
    names = {"conv3d_0": "enter", "dense": "out"}
    names |= {f"conv3d_{n}": f"convs.{n - 1}" for n in range(1, len(convs))}
    wanted = {f"{name}/{part}" for name in names for part in ("kernel", "bias")}
    if set(state) != wanted:
        raise DataError(
            f"the weights lack {sorted(wanted - set(state))} and hold unknown "
            f"{sorted(set(state) - wanted)}"
        )
    channels = state["conv3d_0/kernel"].shape[-1]
    network = DirectionNetwork(3, channels, *_SIZES[len(convs)])
    found: dict[str, Tensor] = {}
    for theirs, ours in names.items():
        kernel = torch.from_numpy(np.array(state[f"{theirs}/kernel"]))
        found[f"{ours}.bias"] = torch.from_numpy(np.array(state[f"{theirs}/bias"]))
        found[f"{ours}.weight"] = (
            kernel.mT[..., None, None, None]
            if theirs == "dense"
            else kernel.permute(4, 3, 0, 1, 2).contiguous()
        )
    network.load_state_dict(found)
    return network.eval()


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the released network as a function of ``input`` (B, X, Y, Z, 1)."""
    network = network_of(state)

    def run(arrays: Arrays) -> Array:
        x = torch.from_numpy(np.array(arrays["input"]))
        with torch.no_grad():
            return network(x.movedim(-1, 1)).movedim(1, -1).numpy()

    return run


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return every recorded result of a function archive under its own names."""
    names = set(inputs)
    if {"direction", "residual", "mask"} <= names:
        return _loss(inputs)
    if {"start", "coefficients", "A_data"} <= names:
        return _ritz(inputs)
    if {"b", "mask", "A_data"} <= names:
        return _iterate(inputs)
    raise ConfigError(f"inputs {sorted(names)} belong to no function of this family")


def _loss(inputs: Arrays) -> dict[str, Array]:
    mask = torch.from_numpy(np.array(inputs["mask"])).unsqueeze(0)
    d, y = (torch.from_numpy(np.array(inputs[n]))[..., 0] for n in ("direction", "residual"))
    d.requires_grad_()
    matvec = product(mask, elsewhere=0.0)
    loss = residual_after_step(d.flatten(1), y.flatten(1), matvec).mean()
    loss.backward()
    matrix = assembled(np.asarray(inputs["mask"]), elsewhere=0.0)
    grad = d.grad
    return {
        "loss": loss.detach().numpy(),
        "loss_gradient": np.zeros(0) if grad is None else grad.unsqueeze(-1).numpy(),
        "A_data": matrix.data,
        "A_indices": matrix.indices,
        "A_indptr": matrix.indptr,
    }


def _matrix(inputs: Arrays) -> Callable[[Tensor], Tensor]:
    stored = tuple(np.asarray(inputs[f"A_{part}"]) for part in ("data", "indices", "indptr"))
    size = len(stored[2]) - 1
    matrix = sparse.csr_array(stored, shape=(size, size))
    return lambda x: torch.from_numpy((matrix @ x.numpy().T).T.copy())


def _ritz(inputs: Arrays) -> dict[str, Array]:
    start = torch.from_numpy(np.array(inputs["start"])).double()
    coefficients = np.asarray(inputs["coefficients"])
    matvec = _matrix(inputs)
    rows, main, below = lanczos(matvec, start, len(coefficients), spare_last=True)
    values, vectors = ritz(main.numpy(), below.numpy())
    dropped = len(coefficients) - len(values)
    return {
        "diagonal": main.numpy(),
        "sub_diagonal": below.numpy(),
        "ritz_values": values,
        "training_vectors": mixtures(rows, vectors, coefficients[dropped:]).numpy(),
    }


def _iterate(inputs: Arrays) -> dict[str, Array]:
    state = {k.removeprefix("state/"): v for k, v in inputs.items() if k.startswith("state/")}
    network, shape = network_of(state), np.asarray(inputs["mask"]).shape
    b = torch.from_numpy(np.array(inputs["b"])).double().unsqueeze(0)
    matvec, steps = _matrix(inputs), 12

    def direction(r: Tensor) -> Tensor:
        with torch.no_grad():
            return network(r.float().view(1, 1, *shape)).flatten(1).double()

    learned = list(conjugate_directions(matvec, b, direction, tolerance=0.0, steps=steps))
    plain = list(conjugate_directions(matvec, b, lambda r: r, tolerance=0.0, steps=steps))
    return {
        "solution_3": learned[3].x[0].numpy(),
        "solution": learned[-1].x[0].numpy(),
        "residual_norms": np.array([float(step.residual[0]) for step in learned]),
        "cg_residual_norms": np.array([float(step.residual[0]) for step in plain]),
    }
