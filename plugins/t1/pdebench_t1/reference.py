"""The authors' programs, from their weights (github.com/DiffEqML/kairos at 91094b3)."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pdebench.errors import DataError
from pdebench_t1 import baselines
from pdebench_t1.network import T1, coordinates
from pdebench_t1.shaped import T1U
from pdebench_t1.transform import dct, idct

Array = NDArray[Any]
Arrays = Mapping[str, Array]
_BOTH = (-2, -1)


def tensors(arrays: Arrays) -> dict[str, Tensor]:
    """Return arrays as tensors (copies)."""
    return {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}


def _input(arrays: Arrays) -> Tensor:
    """Return ``input`` (B, X, Y) or (B, C, X, Y) with a channel axis."""
    x = torch.from_numpy(np.array(arrays["input"]))
    return x.unsqueeze(1) if x.ndim == 3 else x


def load(network: torch.nn.Module, mapped: dict[str, str], state: Arrays) -> None:
    """Load official weights by name; DataError names what is missing or unknown."""
    missing = sorted(set(mapped.values()) - set(state))
    unknown = sorted(set(state) - set(mapped.values()))
    if missing or unknown:
        raise DataError(f"the weights lack {missing} and hold unknown {unknown}")
    network.load_state_dict({key: tensors(state)[name] for key, name in mapped.items()})
    network.eval()


def official_name(key: str) -> str:
    """Return the released name of one of T1's parameters."""
    key = key.replace("lift.", "fc0.").replace("head_1", "fc1").replace("head_2", "fc2")
    key = key.replace(".channels", ".ch_mixing_1")
    return re.sub(r"\.axes\.(\d)", lambda m: f".spatial_mixing_{int(m[1]) + 1}", key)


def t1_network(meta: Mapping[str, Any], state: Arrays) -> T1:
    """Return T1_2d with its weights; sizes are read off the weights."""
    options = dict(meta.get("kwargs") or {})
    width, lifted = state["fc0.weight"].shape
    modes = state["layers.0.ch_mixing_1"].shape[2:]
    layers = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("layers."))
    network = T1(
        lifted - len(modes),
        state["fc2"].shape[1],
        options["signal_resolution"],
        modes,
        width,
        layers,
        int(options.get("padding", 0)),
        bool(options.get("residual", True)),
        act=options.get("act", "gelu"),
    )
    load(network, {key: official_name(key) for key in network.state_dict()}, state)
    return network


def t1_coefficients(network: T1, x: Tensor, keep_high: bool) -> Tensor:
    """Return all coefficients (B, C, X, Y) of the released T1_2d.

    With ``keep_high`` every layer passes on rows m .. n - m - 1 and then all columns from m on, as
    the released program does; the right set would be everything outside the block.
    """
    z = network.lift(torch.cat([x, coordinates(x)], dim=1))
    pad = network.padding
    z = dct(functional.pad(z, (0, pad, 0, pad)), dims=_BOTH)
    m1, m2 = network.modes
    for layer in network.layers:
        out = torch.zeros_like(z)
        out[..., :m1, :m2] = layer(z[..., :m1, :m2])
        if keep_high:
            out[..., m1:-m1, :] = z[..., m1:-m1, :]
            out[..., m2:] = z[..., m2:]
        z = out
    return network.head(z)


def _t1(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    options, network = dict(meta.get("kwargs") or {}), t1_network(meta, state)
    keep_high, inverse = bool(options.get("keep_high")), bool(options.get("perform_inverse"))

    def run(arrays: Arrays) -> Array:
        x = _input(arrays)
        with torch.no_grad():
            y = t1_coefficients(network, x, keep_high)
            if inverse:
                y = idct(y, dims=_BOTH)[..., : x.shape[-2], : x.shape[-1]]
        return (y.squeeze(1) if y.shape[1] == 1 else y).numpy()

    return run


def _t1u_name(key: str) -> str:
    key = key.replace("lift.", "fc0.").replace("operator.", "op_layer.")
    key = key.replace(".channels", ".ch_mixing_1")
    key = re.sub(r"\.axes\.(\d)", lambda m: f".spatial_mixing_{int(m[1]) + 1}", key)
    key = key.replace("body.first.", "dfpnet.layer1.layer1_conv.")
    key = key.replace("body.last.", "dfpnet.dlayer1.dlayer1_tconv.")
    for part, name, conv in (("down", "layer", "conv"), ("up", "dlayer", "tconv")):
        key = re.sub(
            rf"body\.{part}\.(\w+)\.(conv|norm)\.",
            lambda m, n=name, c=conv: (
                f"dfpnet.{n}{m[1]}.{n}{m[1]}_{c if m[2] == 'conv' else 'bn'}."
            ),
            key,
        )
    return key


def t1u_network(meta: Mapping[str, Any], state: Arrays) -> T1U:
    """Return T1U_2d with its weights."""
    options = dict(meta.get("kwargs") or {})
    first, last = state["dfpnet.layer1.layer1_conv.weight"], "dfpnet.dlayer1.dlayer1_tconv.weight"
    network = T1U(
        first.shape[1] - 2,
        state[last].shape[1],
        options["signal_resolution"],
        int(options.get("modes", 24)),
        int(math.log2(first.shape[0])),
        operator_layer=any(key.startswith("op_layer.") for key in state),
        residual=bool(options.get("residual", True)),
        act=options.get("act", "gelu"),
    )
    load(network, {key: _t1u_name(key) for key in network.state_dict()}, state)
    return network


def _t1u(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    network = t1u_network(meta, state)
    inverse = bool(dict(meta.get("kwargs") or {}).get("perform_inverse"))

    def run(arrays: Arrays) -> Array:
        x = _input(arrays)
        with torch.no_grad():
            z = network.coefficients(x)
            m, full = network.modes, x.shape[2:]
            y = network(x) if inverse else functional.pad(z, (0, full[1] - m, 0, full[0] - m))
        return (y.squeeze(1) if y.shape[1] == 1 else y).numpy()

    return run


_NETWORKS: dict[str, Callable[[Mapping[str, Any], Arrays], Callable[[Arrays], Array]]] = {
    "T1_2d": _t1,
    "T1U_2d": _t1u,
    "DCTConv2d": baselines.dct_convolution,
    "NeuralOperator2d": baselines.released_fno,
    "FNOFactorized2DBlock": baselines.released_factorised_fno,
}


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the released network as a function of an archive's arrays."""
    kind = str(meta.get("cls", ""))
    if kind not in _NETWORKS:
        raise DataError(f"cls={kind!r}, expected one of {', '.join(_NETWORKS)}")
    return _NETWORKS[kind](meta, state)


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return the released transforms of ``x`` in scipy's conventions."""
    x = torch.from_numpy(np.array(inputs["x"]))
    found: dict[str, Array] = {}
    for dims, name in (((-1,), "1d"), (_BOTH, "2d")):
        for norm, label in (("ortho", "ortho"), (None, "none")):
            found[f"dct{name}_{label}"] = dct(x, norm, dims).numpy()
            found[f"idct{name}_{label}"] = idct(x, norm, dims).numpy()
    return found
