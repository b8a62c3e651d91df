"""Official names and layouts of the weights of IFactFormer and FactFormer."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_ifactformer.network import IFactFormer

Arrays = Mapping[str, NDArray[Any]]
AXES = "xyz"


def depth_of(state: Arrays) -> int:
    """Return the number of distinct blocks."""
    found = {int(m[1]) for key in state if (m := re.match(r"encoder\.layers\.(\d+)\.", key))}
    return len(found)


def _encoder_keys(state: Arrays, axes: int) -> dict[str, str]:
    """Return our key -> official key of position terms and blocks."""
    pairs = {}
    for n in range(depth_of(state)):
        theirs = f"encoder.layers.{n}"
        position, block = f"encoder.positions.{n}", f"encoder.blocks.{n}"
        pairs[f"{position}.directions"] = f"{theirs}.0.0._B"
        for part in ("weight", "bias"):
            pairs[f"{position}.out.{part}"] = f"{theirs}.0.1.{part}"
            pairs[f"{block}.norm.{part}"] = f"{theirs}.1.in_norm.{part}"
        pairs[f"{block}.value.weight"] = f"{theirs}.1.to_v.weight"
        pairs[f"{block}.mix.weight"] = f"{theirs}.1.to_in.weight"
        for a in range(axes):
            pairs |= _kernel_keys(f"{block}.kernels.{a}", f"{theirs}.1", a)
        shift = 2 if f"{theirs}.1.to_out.2.weight" in state else 1
        pairs[f"{block}.first.weight"] = f"{theirs}.1.to_out.{shift}.weight"
        pairs[f"{block}.second.weight"] = f"{theirs}.1.to_out.{shift + 2}.weight"
        if f"{theirs}.1.to_out_1.0.weight" in state:
            pairs[f"{block}.extra.0.weight"] = f"{theirs}.1.to_out_1.0.weight"
            pairs[f"{block}.extra.1.weight"] = f"{theirs}.1.to_out_1.2.weight"
    return pairs


def _kernel_keys(ours: str, theirs: str, axis: int) -> dict[str, str]:
    pooling = f"{theirs}.to_{AXES[axis]}.{min(axis, 1)}"
    kernel = f"{theirs}.low_rank_kernel_{AXES[axis]}"
    pairs = {
        f"{ours}.reduce.mix.weight": f"{pooling}.to_in.weight",
        f"{ours}.query.weight": f"{kernel}.to_q.weight",
        f"{ours}.key.weight": f"{kernel}.to_k.weight",
        f"{ours}.frequencies": f"{kernel}.pos_emb.inv_freq",
    }
    for layer, name in (("norm", "norm"), ("expand", "fn.net.0"), ("contract", "fn.net.3")):
        for part in ("weight", "bias"):
            pairs[f"{ours}.reduce.{layer}.{part}"] = f"{pooling}.out_ffn.{name}.{part}"
    return pairs


def official_keys(network: nn.Module, state: Arrays, axes: int) -> dict[str, str]:
    """Return our key -> official key of every weight of a network."""
    pairs = _encoder_keys(state, axes)
    if "to_in.2.weight" in state:
        pairs |= {"lift.weight": "to_in.0.weight", "lift.bias": "to_in.0.bias"}
        pairs["lift.join.weight"] = "to_in.2.weight"
    else:
        pairs |= {f"lift.join.{part}": f"to_in.{part}" for part in ("weight", "bias")}
    if isinstance(network, IFactFormer):
        pairs |= {"hidden.weight": "simple_to_out.1.weight"}
        return pairs | {f"out.{part}": f"simple_to_out.3.{part}" for part in ("weight", "bias")}
    pairs |= {"march.expand.weight": "expand_latent.weight", "march.steps": "latent_time_emb"}
    pairs |= {
        f"march.{ours}.{part}": f"{theirs}.{part}"
        for ours, theirs in (
            ("norm", "propagator.norm"),
            ("first", "propagator.fn.net.0"),
            ("second", "propagator.fn.net.3"),
            ("group_norm", "simple_to_out.1"),
            ("out", "simple_to_out.6"),
        )
        for part in ("weight", "bias")
    }
    pairs["march.grouped.weight"] = "simple_to_out.2.weight"
    pairs["march.hidden.weight"] = "simple_to_out.4.weight"
    return pairs


def _to_ours(key: str, value: Tensor, steps: int | None) -> Tensor:
    """Bring an official weight into our layout."""
    if key == "lift.join.weight" and value.ndim == 4:  # (dim, dim/2, T, 1) -> (dim, T dim/2)
        return value.squeeze(-1).transpose(1, 2).flatten(1)
    if key == "march.steps":
        return value.flatten(0, -2)[:steps]
    return value


def load(network: nn.Module, state: Arrays, axes: int, steps: int | None = None) -> None:
    """Copy every weight; each of ours must be given and each of theirs be used."""
    pairs = official_keys(network, state, axes)
    own = dict(network.named_parameters()) | {
        key: value for key, value in network.named_buffers() if not key.startswith("coordinates.")
    }
    missing = sorted(pairs.get(key, key) for key in own if pairs.get(key) not in state)
    surplus = sorted(set(state) - set(pairs.values()))
    if missing or surplus:
        raise ConfigError(f"weights do not fit: missing {missing}, surplus {surplus}")
    with torch.no_grad():
        for key, target in own.items():
            value = _to_ours(key, torch.as_tensor(np.asarray(state[pairs[key]])), steps)
            if value.numel() != target.numel():
                raise ConfigError(
                    f"{pairs[key]} has shape {tuple(value.shape)}, expected {tuple(target.shape)}"
                )
            target.copy_(value.reshape(target.shape))
