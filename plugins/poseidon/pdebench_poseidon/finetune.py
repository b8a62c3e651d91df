"""Fine-tuning: which weights start anew and which learn at which rate."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from torch import Tensor, nn

from pdebench.errors import ConfigError, DataError
from pdebench.origin import read
from pdebench.solver import Pretraining
from pdebench_poseidon.checkpoint import find_checkpoint, read_weights, weights_file
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.norm import ConditionalNorm
from pdebench_poseidon.official import load_official, official_key

_EMBEDDING, _RECOVERY = "embed.projection.", "recover."
_FITTED = "weights.safetensors"  # as `LearnedSolver.save` names it


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
    """Copy a checkpoint into ``network``; return the parts that start anew.

    ``checkpoint`` is a published one (`find_checkpoint`) or the folder in which this suite keeps a
    fitted Poseidon (``weights.safetensors``). The patch embedding starts anew where the input
    channels differ, the recovery where the output channels do; all else must fit. Raises
    ConfigError naming what does not, DataError where there is no checkpoint.
    """
    folder = find_checkpoint(checkpoint)
    fitted = (folder / _FITTED).is_file()
    state = _fitted_weights(folder) if fitted else read_weights(folder)
    channels = {
        _EMBEDDING: ("embeddings.patch_embeddings.projection.weight", network.in_channels),
        _RECOVERY: ("patch_recovery.projection.weight", network.out_channels),
    }
    fresh = tuple(
        part
        for part, (key, wanted) in channels.items()
        if key in state and state[key].shape[1] != wanted
    )
    load_official(network, state, fresh)
    return fresh


def origin_of(checkpoint: str) -> Pretraining:
    """Return what is known of a checkpoint: digest, and what ``origin.json`` beside it says."""
    folder = find_checkpoint(checkpoint)
    fitted = folder / _FITTED
    return read(folder, fitted if fitted.is_file() else weights_file(folder), checkpoint)


def _fitted_weights(folder: Path) -> dict[str, Tensor]:
    """Return the network's weights of a fitted solver by official names, without its scalings."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / _FITTED)
    except (SafetensorError, OSError) as error:
        raise DataError(f"'{folder / _FITTED}' cannot be read: {error}") from error
    return {
        official_key(key.removeprefix("network.")): value
        for key, value in state.items()
        if key.startswith("network.")
    }
