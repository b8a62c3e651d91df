"""Build our networks from the weights of the authors' programs, and repeat their training.

`from_reference(meta, state)` returns a function arrays -> output for one recorded network,
`evaluate(meta, inputs)` the results of the recorded training.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_ifactformer.block import Combine
from pdebench_ifactformer.factformer import FactFormer
from pdebench_ifactformer.network import IFactFormer
from pdebench_ifactformer.norm import Norm
from pdebench_ifactformer.official import AXES, Arrays, depth_of, load, official_keys
from pdebench_ifactformer.protocol import Protocol

Array = NDArray[Any]


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the recorded network as a function of the archive's arrays.

    Raises ConfigError naming missing or surplus weights.
    """
    _variant(meta)  # a description that names no variant is refused before any array is seen

    def output(arrays: Arrays) -> Array:
        network = network_of(meta, state, arrays)
        with torch.no_grad():
            return to_official(meta, network(to_channels(meta, arrays)), _steps(meta)).numpy()

    return output


def network_of(meta: Mapping[str, Any], state: Arrays, arrays: Arrays) -> nn.Module:
    """Return the recorded network with its weights, on the recorded coordinates pos_*."""
    coordinates = _coordinates(arrays)
    if _variant(meta) == "factformer":
        return factformer_network(meta, state, coordinates, _steps(meta))
    return implicit_network(meta, state, coordinates)


def to_channels(meta: Mapping[str, Any], arrays: Arrays) -> Tensor:
    """Return the recorded input as (B, T C, *S), frames outermost.

    Recorded are (B, T, *S, C) of IFactFormer, (B, C, T, *S) of FactFormer in three dimensions and
    (B, *S, T C) in two.
    """
    x = torch.as_tensor(arrays["input"])
    if x.ndim == len(_coordinates(arrays)) + 2:
        return x.movedim(-1, 1)
    if _variant(meta) == "factformer":
        return x.transpose(1, 2).flatten(1, 2)
    return x.movedim(-1, 2).flatten(1, 2)


def to_official(meta: Mapping[str, Any], y: Tensor, steps: int) -> Tensor:
    """(B, [steps] C, *S) -> (B, [steps,] *S, C)."""
    if _variant(meta) == "factformer":
        return y.unflatten(1, (steps, -1)).movedim(2, -1)
    return y.movedim(1, -1)


def _steps(meta: Mapping[str, Any]) -> int:
    return int(meta.get("latent_steps") or meta["config"].get("max_latent_steps") or 1)


def _variant(meta: Mapping[str, Any]) -> str:
    """Return m, o or factformer, from ``variant``, the configuration's model or the class."""
    named = str(meta.get("variant") or meta["config"].get("model") or meta.get("cls", "")).lower()
    if "ifactformer" not in named and "factformer" in named:
        return "factformer"
    found = named.removeprefix("ifactformer").lstrip("_-")
    if found not in ("m", "o"):
        raise ConfigError(f"meta describes the variant {named!r}, expected m, o or factformer")
    return found


def _coordinates(arrays: Arrays) -> list[Tensor]:
    """The recorded nodes pos_x, pos_y, .. of every axis."""
    return [
        torch.as_tensor(arrays[f"pos_{a}"]).flatten().float() for a in AXES if f"pos_{a}" in arrays
    ]


def _norm(meta: Mapping[str, Any], state: Arrays) -> Norm:
    """The recorded norm; where it is not named, the layout of the output layer tells the
    version.
    """
    if "norm" in meta:
        return meta["norm"]
    return "instance" if "encoder.layers.0.1.to_out.2.weight" in state else "x_plane"


def _multiplier(state: Arrays, heads: int, head_width: int) -> float:
    width = state["encoder.layers.0.1.low_rank_kernel_x.to_q.weight"].shape[0]
    return width / (heads * head_width)


def implicit_network(
    meta: Mapping[str, Any], state: Arrays, coordinates: list[Tensor]
) -> IFactFormer:
    """Return the released IFactFormer-m or -o with its weights."""
    config = meta["config"]
    _require(state)
    heads, head_width = int(config["heads"]), int(config["dim_head"])
    combine: Combine = "parallel" if _variant(meta) == "m" else "chained"
    frames, components = int(config.get("in_time_window", 1)), int(config["in_dim"])
    network = IFactFormer(
        frames * components,
        int(config["out_dim"]),
        coordinates,
        frames=frames,
        dim=int(config["dim"]),
        heads=heads,
        head_width=head_width,
        iterations=int(config["n_layer"]),
        depth=depth_of(state),
        multiplier=_multiplier(state, heads, head_width),
        combine=combine,
        norm=_norm(meta, state),
        extra_mlp="encoder.layers.0.1.to_out_1.0.weight" in state,
        lift="grouped" if "to_in.2.weight" in state else "linear",
    ).eval()
    load(network, state, len(coordinates))
    return network


def factformer_network(
    meta: Mapping[str, Any], state: Arrays, coordinates: list[Tensor], steps: int
) -> FactFormer:
    """Return a released FactFormer with its weights, marching ``steps`` latent steps."""
    config = meta["config"]
    _require(state, "latent_time_emb", "expand_latent.weight", "simple_to_out.6.weight")
    heads, head_width, dim = (int(config[key]) for key in ("heads", "dim_head", "dim"))
    grouped = "to_in.2.weight" in state
    frames = int(config.get("in_time_window", 1))
    held = int(np.prod(state["latent_time_emb"].shape[:-1]))
    if steps > held:
        raise ConfigError(f"meta['latent_steps']={steps}, the weights hold {held} steps")
    components = int(config["in_dim"])
    network = FactFormer(
        frames * components if grouped else state["to_in.weight"].shape[1],
        steps * state["simple_to_out.6.weight"].shape[0],
        coordinates,
        steps=steps,
        frames=frames,
        dim=dim,
        heads=heads,
        head_width=head_width,
        depth=depth_of(state),
        multiplier=_multiplier(state, heads, head_width),
        latent_multiplier=state["expand_latent.weight"].shape[0] / dim,
        norm_groups=_norm_groups(config, len(coordinates)),
        norm=_norm(meta, state),
        lift="grouped" if grouped else "linear",
    ).eval()
    load(network, state, len(coordinates), steps)
    return network


def _norm_groups(config: Mapping[str, Any], axes: int) -> int | None:
    """Groups of the latent norm as the programs count them; both spellings are theirs."""
    given = config.get("latent_multiplier", config.get("latent_mutliplier"))
    return int(8 * float(given)) if axes == 2 and given is not None else None


def _require(state: Arrays, *keys: str) -> None:
    """Raise ConfigError naming the first weights that the sizes are read from, where absent."""
    wanted = ("encoder.layers.0.1.low_rank_kernel_x.to_q.weight", *keys)
    missing = [key for key in wanted if key not in state]
    if missing:
        raise ConfigError(f"weights do not fit: missing {missing}")


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return every recorded result of the training protocol under its own name."""
    if not {"data", "order"} <= set(inputs):
        raise ConfigError(f"inputs {sorted(inputs)} belong to no function of this family")
    state = {k.removeprefix("state/"): v for k, v in inputs.items() if k.startswith("state/")}
    protocol = Protocol(meta, torch.as_tensor(inputs["data"]))
    shape = protocol.fields.shape[2:-1]
    lengths = meta.get("length") or [4 * np.pi, 2.0, 4 * np.pi / 3]
    nodes = [torch.linspace(0, float(L), n) for n, L in zip(shape, lengths, strict=True)]
    network = implicit_network(meta, state, nodes)
    results = protocol.train(network, torch.as_tensor(inputs["order"]))
    pairs = official_keys(network, state, len(nodes))
    ours = dict(network.named_parameters()) | dict(network.named_buffers())
    for key, theirs in pairs.items():
        value = ours[key].detach()
        if key == "lift.join.weight" and state[theirs].ndim == 4:
            dim, half, frames, _ = state[theirs].shape
            value = value.view(dim, frames, half).transpose(1, 2)
        results[f"after/{theirs}"] = value.reshape(state[theirs].shape).numpy()
    return results
