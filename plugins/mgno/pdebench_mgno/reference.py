"""The authors' programs, from their weights (github.com/xlliu2017/MgNO at 3a68a90)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pdebench.errors import DataError
from pdebench_mgno.losses import finite_difference_h1, relative_h1, relative_l2
from pdebench_mgno.network import MgNO

Array = NDArray[Any]
Arrays = Mapping[str, Array]
_DECODE = 1e-5  # added to the standard deviation by the released normaliser
# Registered by the released classes, never used in their forward pass.
_IDLE = re.compile(r"^(conv_list\.\d+|last_layer)\.(layer0\.0\.A)\.(weight|bias)$")


def _arguments(meta: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("constructor_args", "kwargs", "config", "args"):
        if isinstance(meta.get(key), Mapping):
            return dict(meta[key])
    return {}


def _kind(meta: Mapping[str, Any]) -> str:
    named = str(meta.get("cls") or meta.get("module") or "")
    return named.rpartition(":")[2].rpartition(".")[2]


def network_of(meta: Mapping[str, Any], state: Arrays, shape: tuple[int, int]) -> MgNO:
    """Return the network of a released class with its weights.

    Options that the weights show (bias, norm, head, residual restriction) are read off their keys.
    Raises DataError naming missing or unknown keys.
    """
    arguments, kind = _arguments(meta), _kind(meta)
    levels = [_pair(level) for level in arguments["num_iteration"]]
    helmholtz, flow = kind.startswith("MgNO_helm"), kind.startswith("MgNO_NS")
    first = state["conv_list.0.layer0.0.S.weight"]
    layers = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("conv_list."))
    normed = "conv_list.0.norm_layer_list.0.weight" in state
    mlp = "last_layer.0.weight" in state
    network = MgNO(
        first.shape[1],
        1,
        shape,
        first.shape[0],
        layers,
        levels,
        "reflect" if helmholtz else _boundary(arguments, flow),
        arguments.get("activation", "gelu"),
        pointwise=any(key.startswith("linear_list.") for key in state),
        norm="layers" if helmholtz else "levels" if flow else None,
        affine=normed or helmholtz,
        bias="conv_list.0.layer0.0.S.bias" in state,
        restrict_residual="conv_list.0.layer1.0.A.weight" in state,
        grow=helmholtz,
        transfer_padding=0 if helmholtz else 1,
        head="vcycle" if helmholtz else "mlp" if mlp else "linear",
        head_width=state["last_layer.0.weight"].shape[0] if mlp else 1,
        residual=flow,
    )
    _load(network, state, len(levels))
    return network.eval()


def _pair(level: Any) -> tuple[int, int]:
    if isinstance(level, int):
        return level, 0
    before, after = (int(n) for n in level)  # "10" is [1, 0] in the released command lines
    return before, after


def _boundary(arguments: Mapping[str, Any], flow: bool) -> Any:
    return "circular" if flow else arguments.get("padding_mode", "zeros")


def _official(key: str) -> str:
    key = re.sub(r"^cycles\.", "conv_list.", key)
    key = re.sub(r"^pointwise\.", "linear_list.", key)
    key = re.sub(r"^norms\.", "norm_layer_list.", key)
    key = re.sub(r"^head\.(before|after|restrict|prolong|operators)", r"last_layer.\1", key)
    key = key.replace(".norms.", ".norm_layer_list.")
    key = re.sub(r"\.prolong\.", ".RTlayers.", key)

    def before(found: re.Match[str]) -> str:
        level, step = int(found[1]), int(found[2])
        return f".layer{level}.{step if level == 0 else step + 1}."

    key = re.sub(r"\.before\.(\d+)\.(\d+)\.", before, key)
    key = re.sub(r"\.after\.(\d+)\.(\d+)\.", r".post_smooth_layer\1.\2.", key)
    for ours, theirs in (("restrict_u", "Pi"), ("restrict_f", "R"), ("operators", "A")):
        key = re.sub(
            rf"\.{ours}\.(\d+)\.", lambda m, t=theirs: f".layer{int(m[1]) + 1}.0.{t}.", key
        )
    return key.replace(".apply_s.", ".S.").replace(".apply_a.", ".A.")


def official_name(key: str, state: Arrays) -> str:
    """Return the released name of one of our parameters."""
    if key == "head.weight":
        return "linear.weight" if "linear.weight" in state else "last_layer.weight"
    if re.match(r"^head\.[02]\.", key):
        return key.replace("head.", "last_layer.")
    return _official(key)


def _idle(key: str, levels: int) -> bool:
    """Whether the released forward pass never uses this parameter."""
    prolongation = re.match(r"^(conv_list\.\d+|last_layer)\.RTlayers\.(\d+)\.", key)
    last_after = re.match(r"^(conv_list\.\d+|last_layer)\.post_smooth_layer(\d+)\.", key)
    extra = prolongation is not None and int(prolongation[2]) >= levels - 1
    coarsest = last_after is not None and int(last_after[2]) >= levels - 1
    norm = re.match(r"^conv_list\.\d+\.norm_layer_list\.(\d+)\.", key)
    unused_norm = norm is not None and int(norm[1]) >= levels - 1
    return bool(_IDLE.match(key)) or extra or coarsest or unused_norm


def _load(network: MgNO, state: Arrays, levels: int) -> None:
    wanted = {key: official_name(key, state) for key in network.state_dict()}
    known = set(wanted.values()) | {"normalizer.mean", "normalizer.std"}
    missing = sorted(set(wanted.values()) - set(state))
    unknown = sorted(k for k in state if k not in known and not _idle(k, levels))
    if missing or unknown:
        raise DataError(f"the weights lack {missing} and hold unknown {unknown}")
    network.load_state_dict(
        {key: torch.from_numpy(np.array(state[name])) for key, name in wanted.items()}
    )


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the released network as a function of an archive's arrays: ``input`` (B, C, X, Y)."""

    def run(arrays: Arrays) -> Array:
        x = torch.from_numpy(np.array(arrays["input"]))
        network = network_of(meta, state, (x.shape[2], x.shape[3]))
        with torch.no_grad():
            y = network(x)
        if "normalizer.mean" in state:
            mean, std = (
                torch.from_numpy(np.array(state[f"normalizer.{n}"])) for n in ("mean", "std")
            )
            y = y * (std + _DECODE) + mean
        return y.numpy()

    return run


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return the released losses of ``input`` against ``target``, both (B, n, n)."""
    p, y = (torch.from_numpy(np.array(inputs[name])) for name in ("input", "target"))
    settings = _arguments(meta).get("HsLoss", {})
    scale = settings.get("a")
    scale = 1.0 if scale is None else float(np.ravel(scale)[0])
    points = p.shape[1]
    h1 = relative_h1(p, y, scale, bool(settings.get("truncation", True)))
    l2 = relative_l2(p, y)
    absolute = finite_difference_h1(p - y, points)
    relative = finite_difference_h1(p - y, points) / finite_difference_h1(y, points)
    found = {
        "h1_sum": h1.sum(),
        "l2_from_h1": l2.sum(),
        "lp_sum": l2.sum(),
        "lp_mean": l2.mean(),
        "helm_abs_h1": absolute.mean(),
        "hs_rel_fd_sum": relative.sum(),
    }
    return {name: value.numpy() for name, value in found.items()}
