"""Fine-tuning: which weights start anew and which learn at which rate."""

from dataclasses import dataclass
from typing import Any, final

from torch import nn

from pdebench.errors import ConfigError
from pdebench_poseidon.checkpoint import find_checkpoint, read_config, read_weights
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.norm import ConditionalNorm
from pdebench_poseidon.official import load_official

_EMBEDDING, _RECOVERY = "embed.projection.", "recover."


@final
@dataclass(frozen=True)
class Rates:
    """Learning rates of the parts of the network; defaults are those of the fine-tuning paper runs.

    Attributes:
        body: all else.
        ends: patch embedding and recovery.
        norms: norms that follow the lead time (without decay).
        weight_decay: of weights; norms and biases have none.
    """

    body: float = 5e-5
    ends: float = 5e-4
    norms: float = 5e-4
    weight_decay: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("body", "ends", "norms"):
            if getattr(self, name) <= 0:
                raise ConfigError(
                    f"solver.rates.{name}={getattr(self, name)}, expected a positive number"
                )


def parameter_groups(network: nn.Module, rates: Rates) -> list[dict[str, Any]]:
    """Return optimiser groups that hold every trainable parameter of ``network`` exactly once.

    body and ends with decay, body and ends without (norms, biases), conditional norms.
    """
    conditional = {
        id(p)
        for module in network.modules()
        if isinstance(module, ConditionalNorm)
        for p in module.parameters()
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in conditional:
            key = rates.norms, 0.0
        else:
            inner = name.removeprefix("network.")
            rate = rates.ends if inner.startswith((_EMBEDDING, _RECOVERY)) else rates.body
            # one-dimensional: biases, plain norms, per-channel scales
            key = rate, 0.0 if parameter.ndim <= 1 else rates.weight_decay
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": held, "lr": rate, "weight_decay": decay}
        for (rate, decay), held in groups.items()
    ]


def start_from(network: ScOT, checkpoint: str) -> tuple[str, ...]:
    """Copy a published checkpoint into ``network``; return the parts that start anew.

    The patch embedding starts anew where the input channels differ from the checkpoint's, the
    recovery where the output channels do; all else must fit. Raises ConfigError naming what does
    not, DataError where there is no checkpoint.
    """
    folder = find_checkpoint(checkpoint)
    config = read_config(folder)
    fresh = []
    if config.get("num_channels", 3) != network.in_channels:
        fresh.append(_EMBEDDING)
    if config.get("num_out_channels", 1) != network.out_channels:
        fresh.append(_RECOVERY)
    load_official(network, read_weights(folder), tuple(fresh))
    return tuple(fresh)
