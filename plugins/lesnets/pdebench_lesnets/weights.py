"""Our networks with the weights of the authors' programs, under their official keys."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pdebench.errors import DataError
from pdebench_lesnets.network import FourierOperator, ImplicitFourierOperator

Array = NDArray[Any]
Arrays = Mapping[str, Array]
_SIGNS = {  # sign of the kept band on every axis but the last: weights1, weights2, ...
    1: ("+", "-"),
    2: ("++", "-+", "+-", "--"),
    3: ("+++", "-++", "+-+", "--+", "-+-", "++-", "+--", "---"),
}
_IGNORED = {"param"}  # the learned coefficient; no weight of the network


def _assembled(parts: list[Array]) -> Array:
    """Return one matrix per kept mode (K, in, out) from the blocks (in, out, m, ..., m)."""
    first = parts[0]
    space = first.ndim - 3
    modes = first.shape[2:]
    shape = (*(2 * m for m in modes[:-1]), modes[-1], *first.shape[:2])
    whole = np.zeros(shape, first.dtype)
    for signs, part in zip(_SIGNS[space], parts, strict=True):
        block = tuple(
            slice(0, m) if sign == "+" else slice(m, 2 * m)
            for sign, m in zip(signs, modes, strict=False)
        )
        whole[block] = np.moveaxis(part, (0, 1), (-2, -1))
    return whole.reshape(-1, *first.shape[:2])


def network_of(meta: Mapping[str, Any], state: Arrays) -> nn.Module:
    """Return the released network: LESnets FNO3d or IFNO3d, PINO FNO2d or FNO3d.

    Raises DataError naming missing or unknown keys.
    """
    kwargs = meta["kwargs"]
    keys = {int(m[1]) for key in state if (m := re.match(r"sp_convs\.(\d+)\.", key))}
    layers = len(keys)
    if not layers or "fc0.weight" not in state or "sp_convs.0.weights1" not in state:
        raise DataError(f"the weights hold no Fourier layer: {sorted(state)}")
    axes = state["sp_convs.0.weights1"].ndim - 2
    blocks = range(1, 2 ** (axes - 1) + 1)
    heads = sorted(int(m[1]) for key in state if (m := re.match(r"fc([1-9])\.weight", key)))
    wanted = {f"{n}.{p}" for n in ("fc0", *(f"fc{h}" for h in heads)) for p in ("weight", "bias")}
    wanted |= {f"sp_convs.{i}.weights{b}" for i in range(layers) for b in blocks}
    wanted |= {f"ws.{i}.{p}" for i in range(layers) for p in ("weight", "bias")}
    given = set(state) - _IGNORED
    if given != wanted:
        raise DataError(
            f"the weights lack {sorted(wanted - given)} and hold unknown {sorted(given - wanted)}"
        )
    width, inputs = state["fc0.weight"].shape
    widths = [width, *(state[f"ws.{i}.weight"].shape[0] for i in range(layers))]
    head = [state[f"fc{h}.weight"].shape[0] for h in heads]
    modes = state["sp_convs.0.weights1"].shape[2:]
    act = kwargs.get("act", "gelu")
    implicit = str(meta.get("cls", "")).startswith("IFNO")
    if implicit:
        network: nn.Module = ImplicitFourierOperator(
            inputs, head[-1], modes, width, int(kwargs["layers"]), head[:-1], act
        )
    else:
        pad = kwargs.get("pad_ratio", 0.0)
        pad = (float(pad[0]), float(pad[1])) if isinstance(pad, (list, tuple)) else (pad, pad)
        padded = (-2, -1) if axes == 2 else (-1,)
        network = FourierOperator(inputs, head[-1], modes, widths, head[:-1], act, pad, padded)
    found: dict[str, Array] = {}
    pointwise = {"lift": "fc0", **{f"head.{n}": f"fc{h}" for n, h in enumerate(heads)}}
    for index in range(layers):
        place = "" if implicit else f".{index}"
        pointwise[f"local{place}"] = f"ws.{index}"
        found[f"spectral{place}.weight"] = _assembled(
            [state[f"sp_convs.{index}.weights{b}"] for b in blocks]
        )
    for ours, theirs in pointwise.items():
        weight = state[f"{theirs}.weight"]
        found[f"{ours}.weight"] = weight if weight.ndim == 3 else weight[..., None]
        found[f"{ours}.bias"] = state[f"{theirs}.bias"]
    network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in found.items()})
    return network.eval()
