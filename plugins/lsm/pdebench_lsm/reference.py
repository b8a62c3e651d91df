"""The authors' programs, from their weights.

github.com/thuml/Latent-Spectral-Models at d5a0b40 and thuml/Neural-Solver-Library at db942b7.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pdebench.errors import ConfigError, DataError
from pdebench_lsm.block import SpectralBlock
from pdebench_lsm.network import LSM
from pdebench_lsm.points import PointLSM

Array = NDArray[Any]
Arrays = Mapping[str, Array]


def _sizes(text: Any) -> list[int]:
    return [int(n) for n in (text.split(",") if isinstance(text, str) else text)]


def _kind(meta: Mapping[str, Any]) -> str:
    module = str(meta.get("module", ""))
    for name, mark in (
        ("block", "NeuralSpectralBlock"),
        ("points", "LSM_Irregular"),
        ("library", "models/LSM.py"),
        ("grid", "LSM_"),
    ):
        if mark in module:
            return name
    raise ConfigError(f"meta['module']={module!r} is no class of this family")


def network_of(meta: Mapping[str, Any], state: Arrays) -> nn.Module:
    """Return the network of a released class, in evaluation mode, with its weights.

    Raises DataError naming missing or unknown keys.
    """
    given = meta["constructor_args"]
    build = {
        "block": _block,
        "grid": _grid,
        "points": _points,
        "library": _library,
    }[_kind(meta)]
    network = build(given)
    _load(network, state, _kind(meta))
    return network.eval()


def _block(given: Mapping[str, Any]) -> nn.Module:
    return SpectralBlock(
        given["width"], given["num_basis"], given["num_token"], _sizes(given["patch_size"])
    )


def _grid(given: Mapping[str, Any]) -> nn.Module:
    patch = _sizes(given["patch_size"])
    return LSM(
        given["in_dim"],
        given["out_dim"],
        [1] * len(patch),
        given["d_model"],
        given["num_basis"],
        given["num_token"],
        patch,
        _sizes(given["padding"])[::-1],  # the released order starts at the last axis
    )


def _points(given: Mapping[str, Any]) -> nn.Module:
    args, more = given["args"], given.get("kwargs", {})
    return PointLSM(
        args["in_dim"],
        args["out_dim"],
        width=args["d_model"],
        basis=args["num_basis"],
        tokens=args["num_token"],
        latent=(more.get("s1", 96), more.get("s2", 96)),
        patch=_sizes(args["patch_size"]),
        modes=(more.get("modes1", 12), more.get("modes2", 12)),
        deformation_width=given.get("iphi_width", 32),
        shifted_mirror=True,
    )


def _library(given: Mapping[str, Any]) -> nn.Module:
    args, more = given["args"], given.get("kwargs", {})
    entering = args["space_dim"] + args["fun_dim"]
    width = args["n_hidden"]
    options: dict[str, Any] = {
        "width": width,
        "basis": more.get("num_basis", 12),
        "tokens": more.get("num_token", 4),
        "heads": args["n_heads"],
        "norm": "batch" if args["task"] == "steady" else "instance",
        "lifting": "mlp",
        "head_width": 2 * width,
        "conditioned": bool(args.get("time_input")),
    }
    if args["geotype"] == "unstructured":
        return PointLSM(
            entering,
            args["out_dim"],
            latent=(more.get("s1", 96), more.get("s2", 96)),
            modes=(args["modes"], args["modes"]),
            local=False,
            shifted_mirror=True,
            **options,
        )
    return LSM(entering, args["out_dim"], args["shapelist"], grid=False, **options)


_LEVEL = {"inc": "down.0", **{f"down{n}": f"down.{n}" for n in range(1, 5)}}
_LEVEL |= {f"up{n}": f"up.{n - 1}" for n in range(1, 5)}
_LINEAR = {
    "fc0": "lift",
    "fc1": "project.0",
    "fc2": "project.2",
    "preprocess.linear_pre.0": "lift.0",
    "preprocess.linear_post": "lift.2",
    "time_fc.0": "time.0",
    "time_fc.2": "time.2",
    "outc.conv": "backbone.out",
    "convproject_in": "at_grid",
    "convproject_out": "at_points",
    "iphi.fc0": "deformation.enter",
    "iphi.fc_code": "deformation.with_code",
    "iphi.fc_no_code": "deformation.without_code",
    "iphi.fc1": "deformation.inner.0",
    "iphi.fc2": "deformation.inner.1",
    "iphi.fc3": "deformation.inner.2",
    "iphi.fc4": "deformation.out",
}


def our_name(key: str, kind: str) -> str:
    """Return our name of a released parameter; halves of a complex weight share one."""
    key = key.removeprefix("model.")
    if kind == "block":
        key = f"process1.{key}"
    module, _, part = key.rpartition(".")
    if module in _LINEAR:
        return f"{_LINEAR[module]}.{part}"
    block = re.fullmatch(r"process(\d)\.(weights|latent|(?:encoder|decoder)_attn\.\w+)", key)
    if block:
        inner = re.sub(r"(enc|dec)oder_attn", r"\1ode", block[2])
        return inner if kind == "block" else f"backbone.blocks.{int(block[1]) - 1}.{inner}"
    conv = re.fullmatch(r"(inc|down\d|up\d)\.(?:maxpool_conv\.1\.|conv\.)?double_conv\.(.*)", key)
    if conv:
        return f"backbone.{_LEVEL[conv[1]]}.{conv[2]}"
    spectral = re.fullmatch(r"fftproject_(in|out)\.weights[12]", key)
    if spectral:
        return "enter.weight" if spectral[1] == "in" else "leave.weight"
    return key


def _load(network: nn.Module, state: Arrays, kind: str) -> None:
    found: dict[str, Tensor] = {}
    for key in sorted(state):  # weights1 before weights2: rows k_1 >= 0, then k_1 < 0
        name, value = our_name(key, kind), torch.from_numpy(np.array(state[key]))
        value = value.float() if value.dtype == torch.float16 else value
        found[name] = torch.cat([found[name], value], dim=2) if name in found else value
    own = network.state_dict()
    missing, unknown = sorted(set(own) - set(found)), sorted(set(found) - set(own))
    if missing or unknown:
        raise DataError(f"the weights lack {missing} and hold unknown {unknown}")
    network.load_state_dict({key: value.reshape(own[key].shape) for key, value in found.items()})


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the released network as a function of an archive's arrays."""
    network, kind = network_of(meta, state), _kind(meta)

    def run(arrays: Arrays) -> Array:
        with torch.no_grad():
            return call(network, kind, meta, arrays).numpy()

    return run


def call(network: nn.Module, kind: str, meta: Mapping[str, Any], arrays: Arrays) -> Tensor:
    """Return the network's answer to recorded arrays, in the released layout."""
    given = {
        name: torch.from_numpy(np.array(arrays[name]))
        for name in ("input", "fx", "code", "x_out", "T")
        if name in arrays
    }
    x = given["input"]
    if kind == "block":
        return network(x.movedim(1, -1)).movedim(-1, 1)
    if kind == "grid":
        return network(x.movedim(-1, 1)).movedim(1, -1)
    if kind == "points":
        return network(x.mT, given.get("code"), given.get("x_out")).mT
    seen = torch.cat([x, given["fx"]], dim=-1) if "fx" in given else x
    if isinstance(network, PointLSM):
        return network(seen.mT, time=given.get("T")).mT
    shape = meta["constructor_args"]["args"]["shapelist"]
    y = network(seen.mT.unflatten(2, tuple(shape)), given.get("T"))
    return y.flatten(2).mT
