"""Our networks with the weights of the authors' programs, under their official keys."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_fno.classic import ClassicFNO
from pdebench_fno.implicit import IFNO
from pdebench_fno.network import FNO

Array = NDArray[Any]
Arrays = Mapping[str, Array]
_UNUSED = re.compile(r"bn\d+\.")  # batch norms that the published programs build and never apply


def _load(
    network: nn.Module, mapped: Mapping[str, Array | Tensor], used: set[str], state: Arrays
) -> None:
    """Copy weights by our names; every weight of ours must be given and every weight of theirs
    used.
    """
    own = dict(network.named_parameters())
    missing = sorted(set(own) - set(mapped))
    surplus = sorted(key for key in set(state) - used if not _UNUSED.match(key))
    if missing or surplus:
        raise ConfigError(f"weights do not fit: missing {missing}, surplus {surplus}")
    with torch.no_grad():
        for key, parameter in own.items():
            value = torch.as_tensor(np.asarray(mapped[key]))
            if value.numel() != parameter.numel():
                raise ConfigError(
                    f"{key} has shape {tuple(value.shape)}, expected {tuple(parameter.shape)}"
                )
            parameter.copy_(value.reshape(parameter.shape))


class _Reader:
    """Reads official weights by key, remembers which were used, and names the one that is
    missing.
    """

    def __init__(self, state: Arrays) -> None:
        self.state, self.used = state, set[str]()

    def __call__(self, key: str) -> Array:
        if key not in self.state:
            raise ConfigError(f"weight '{key}' is missing; the file holds {sorted(self.state)}")
        self.used.add(key)
        return self.state[key]


def _modes_first(weight: Array) -> Array:
    """(in, out, k...) -> (k..., in, out)."""
    return np.moveaxis(weight, (0, 1), (-2, -1))


def _joined(read: _Reader, prefix: str, signed: int) -> Array:
    """Join the published blocks of weights into one array over k = -m .. m-1 of the first
    ``signed`` axes.

    Block weights{1 + sum_a 2^a [k_a < 0]} holds one sign per axis, in FFT order.
    """
    blocks = [_modes_first(read(f"{prefix}.weights{n + 1}")) for n in range(2**signed)]
    for axis in reversed(range(signed)):
        half = len(blocks) // 2
        blocks = [np.concatenate([blocks[n + half], blocks[n]], axis) for n in range(half)]
    return blocks[0]


_PADDING = {
    "fourier_2d.py": (9, 9),
    "fourier_3d.py": (0, 0, 6),
}  # zeros at the end of the axes, per script


def classic_network(meta: Mapping[str, Any], state: Arrays) -> ClassicFNO:
    """Return the published network of a script, with its weights."""
    arguments = meta.get("args") or meta.get("constructor_args") or ()
    *modes, width = (int(a) for a in arguments)
    script = str(meta.get("script", "")).split(" ")[0].rstrip(",;")
    dim = len(modes)
    read = _Reader(state)
    entering = read("fc0.weight").shape[1] - dim
    layers = len([key for key in state if re.fullmatch(r"w\d+\.weight", key)])
    out = read("fc2.weight").shape[0]
    padding = _PADDING.get(script)
    network = ClassicFNO(modes, entering, out, width, layers, padding, clip=True).eval()
    mapped: dict[str, Array] = {}
    for ours, theirs in (("lift", "fc0"), ("head", "fc1"), ("out", "fc2")):
        for part in ("weight", "bias"):
            mapped[f"{ours}.{part}"] = read(f"{theirs}.{part}")
    for n in range(layers):
        mapped[f"convs.{n}.weight.tensor"] = _joined(read, f"conv{n}", dim - 1)
        for part in ("weight", "bias"):
            mapped[f"locals.{n}.{part}"] = read(f"w{n}.{part}")
    _load(network, mapped, read.used, state)
    return network


def implicit_network(meta: Mapping[str, Any], state: Arrays) -> IFNO:
    """Return the released IFNO or IUFNO for channel flow, with its weights."""
    config = meta["config"]
    read = _Reader(state)
    network = IFNO(
        config["modes"],
        int(config["in_frames"]),
        read("fc2.weight").shape[0],
        int(config["width"]),
        int(config["nlayer"]),
        head=read("fc1.weight").shape[0],
        unet=bool(meta.get("unet", any(key.startswith("u.") for key in state))),
        linear_end=True,
        one_sided=(2,),
        clip=True,
    ).eval()
    mapped: dict[str, Array] = {"conv.weight.tensor": _joined(read, "convlayer.0", 2)}
    for ours, theirs in (("lift", "fc0"), ("head", "fc1"), ("out", "fc2"), ("local", "w.0")):
        for part in ("weight", "bias"):
            mapped[f"{ours}.{part}"] = read(f"{theirs}.{part}")
    for key, _ in network.named_parameters():
        if key.startswith("unet."):
            layer, part = key.removeprefix("unet.").rsplit(".", 1)
            name = "output_layer" if layer == "output" else f"{layer}.0"
            mapped[key] = read(f"u.0.{name}.{part}")
    _load(network, mapped, read.used, state)
    return network


_RENAMED = {
    "n_layers": "layers",
    "hidden_channels": "width",
    "lifting_channel_ratio": "lifting_ratio",
    "projection_channel_ratio": "projection_ratio",
    "channel_mlp_skip": "mlp_skip",
    "fno_skip": "conv_skip",
    "norm": "norm",
    "preactivation": "preactivation",
    "domain_padding": "padding",
}
_IGNORED = {
    "n_modes",
    "in_channels",
    "out_channels",
    "use_channel_mlp",
    "channel_mlp_expansion",
    "factorization",
    "rank",
    "positional_embedding",
    "resolution_scaling_factor",
    "channel_mlp_dropout",
    "implementation",
    "fixed_rank_modes",
    "decomposition_kwargs",
    "fno_block_precision",
    "domain_padding_mode",
}


def library_network(meta: Mapping[str, Any], state: Arrays) -> FNO:
    """Return a ``neuralop.models.FNO`` or ``TFNO`` of version 2.0.0, with its weights."""
    given = dict(meta["kwargs"])
    unknown = sorted(set(given) - set(_RENAMED) - _IGNORED)
    if unknown:
        raise ConfigError(f"meta['kwargs'] has {unknown}, which this loader does not know")
    tucker = any(".weight.core" in key for key in state)
    layers = int(given.get("n_layers", 4))
    mlp = given.get("use_channel_mlp", True)
    network = FNO(
        given["n_modes"],
        given["in_channels"],
        given["out_channels"],
        embedding="grid" if given.get("positional_embedding", "grid") == "grid" else None,
        mlp_expansion=given.get("channel_mlp_expansion", 0.5) if mlp else None,
        scaling=_scaling(given.get("resolution_scaling_factor"), layers, len(given["n_modes"])),
        rank=0.1 if tucker else None,
        clip=True,
        misplace_odd=True,
        activate_twice=not mlp,
        **{
            ours: given[theirs]
            for theirs, ours in _RENAMED.items()
            if given.get(theirs) is not None
        },
    ).eval()
    read = _Reader(state)
    mapped: dict[str, Array] = {}
    for key in _library_keys(network, read, mapped, tucker):
        mapped[key[0]] = read(key[1])
    _load(network, mapped, read.used, state)
    return network


def _scaling(factor: Any, layers: int, dim: int) -> list[list[float]] | None:
    """Spell out the library's factor: one number, one per layer, or one per layer and axis."""
    if factor is None:
        return None
    per_layer = list(factor) if isinstance(factor, list | tuple) else [factor] * layers
    return [list(f) if isinstance(f, list | tuple) else [f] * dim for f in per_layer]


def _library_keys(
    network: FNO, read: _Reader, mapped: dict[str, Array], tucker: bool
) -> list[tuple[str, str]]:
    """Return (our key, official key) of every weight that keeps its layout; spectral weights go
    into ``mapped``.
    """
    pairs: list[tuple[str, str]] = []

    def mlp(ours: str, theirs: str) -> None:
        for position, name in enumerate(("first", "second")):
            for part in ("weight", "bias"):
                pairs.append((f"{ours}.{name}.{part}", f"{theirs}.fcs.{position}.{part}"))

    mlp("lifting", "lifting")
    mlp("projection", "projection")
    for n, block in enumerate(network.blocks):
        pairs.append((f"blocks.{n}.conv.bias", f"fno_blocks.convs.{n}.bias"))
        _spectral(network, block, n, read, mapped, tucker)
        if block.mlp is not None:
            mlp(f"blocks.{n}.mlp", f"fno_blocks.channel_mlp.{n}")
        for ours, theirs in (("conv_skip", "fno_skips"), ("mlp_skip", "channel_mlp_skips")):
            made = getattr(block, ours)
            for key, _ in made.named_parameters() if made is not None else ():
                inner = (
                    "weight"
                    if ours == "mlp_skip" and f"fno_blocks.{theirs}.{n}.weight" in read.state
                    else "conv.weight"
                )
                inner = inner if f"fno_blocks.{theirs}.{n}.{inner}" in read.state else "weight"
                pairs.append((f"blocks.{n}.{ours}.{key}", f"fno_blocks.{theirs}.{n}.{inner}"))
        per_block = len(block.norms)
        for which, norm in enumerate(block.norms):
            for key, _ in norm.named_parameters():
                pairs.append(
                    (
                        f"blocks.{n}.norms.{which}.{key}",
                        f"fno_blocks.norm.{per_block * n + which}.{key}",
                    )
                )
    return pairs


def _spectral(
    network: FNO, block: Any, n: int, read: _Reader, mapped: dict[str, Array], tucker: bool
) -> None:
    """Map one spectral weight; a Tucker weight of any rank is taken as it is."""
    prefix = f"fno_blocks.convs.{n}.weight"
    if not tucker:
        mapped[f"blocks.{n}.conv.weight.tensor"] = _modes_first(read(f"{prefix}.tensor"))
        return
    core = _modes_first(read(f"{prefix}.core"))
    dim = network.dim
    order = [*range(2, dim + 2), 0, 1]
    weight = block.conv.weight
    weight.core = nn.Parameter(torch.zeros(core.shape, dtype=torch.complex64))
    mapped[f"blocks.{n}.conv.weight.core"] = core
    for position, source in enumerate(order):
        factor = read(f"{prefix}.factors.factor_{source}")
        weight.factors[position] = nn.Parameter(torch.zeros(factor.shape, dtype=torch.complex64))
        mapped[f"blocks.{n}.conv.weight.factors.{position}"] = factor


def official_state(network: ClassicFNO) -> dict[str, Array]:
    """Return the weights of a published network under their official keys."""
    state: dict[str, Array] = {}
    for ours, theirs in (("lift", "fc0"), ("head", "fc1"), ("out", "fc2")):
        layer = getattr(network, ours)
        state[f"{theirs}.weight"], state[f"{theirs}.bias"] = (
            layer.weight.detach().numpy(),
            layer.bias.detach().numpy(),
        )
    for n, (conv, local) in enumerate(zip(network.convs, network.locals, strict=True)):
        state[f"w{n}.weight"], state[f"w{n}.bias"] = (
            local.weight.detach().numpy(),
            local.bias.detach().numpy(),
        )
        full = np.moveaxis(conv.weight.tensor.detach().numpy(), (-2, -1), (0, 1))
        signed = [band.negative for band in conv.bands[:-1]]
        for number in range(2 ** len(signed)):
            where: list[slice] = [slice(None), slice(None)]
            for axis, m in enumerate(signed):
                where.append(slice(0, m) if number >> axis & 1 else slice(m, None))
            state[f"conv{n}.weights{number + 1}"] = full[tuple(where)]
    return state
