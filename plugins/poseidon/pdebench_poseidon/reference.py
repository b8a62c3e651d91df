"""Build scOT from the authors' weights and evaluate their error measures.

`from_reference(meta, state)` returns a function arrays -> output for one recorded network,
`load_checkpoint(folder)` the same for a checkpoint folder, `evaluate(meta, inputs)` the results of
recorded functions.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pdebench.errors import ConfigError
from pdebench_poseidon.checkpoint import load_network
from pdebench_poseidon.losses import GroupedRelative, relative_error
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.official import from_config, load_official

Array = NDArray[Any]
Arrays = Mapping[str, Array]


def from_reference(meta: Mapping[str, Any], state: Arrays) -> Callable[[Arrays], Array]:
    """Return the recorded network as a function of the archive's ``input`` and ``time``.

    Raises ConfigError naming missing or surplus weights.
    """
    return _function(network_of(meta, state))


def load_checkpoint(folder: str | Path) -> Callable[[Arrays], Array]:
    """Return the network of a checkpoint folder as a function of ``input`` and ``time``."""
    return _function(load_network(folder))


def network_of(meta: Mapping[str, Any], state: Arrays) -> ScOT:
    """Return the recorded network with its weights."""
    network = from_config(meta["config"])
    load_official(network, {k: torch.as_tensor(np.asarray(v)) for k, v in state.items()})
    return network.eval()


def loss_of(meta: Mapping[str, Any]) -> GroupedRelative:
    """Return the loss a configuration names."""
    config = meta["config"]
    return GroupedRelative(config.get("channel_slice_list_normalized_loss"), config.get("p", 1))


def _function(network: ScOT) -> Callable[[Arrays], Array]:
    def output(arrays: Arrays) -> Array:
        time = torch.as_tensor(arrays["time"]).float() if "time" in arrays else None
        with torch.no_grad():
            return network(torch.as_tensor(arrays["input"]).float(), time).numpy()

    return output


def evaluate(meta: Mapping[str, Any], inputs: Arrays) -> dict[str, Array]:
    """Return relative errors per sample (per cent), their median and mean."""
    if not {"pred", "target"} <= set(inputs):
        raise ConfigError(f"inputs {sorted(inputs)} belong to no function of this family")
    p, y = (torch.as_tensor(inputs[name]) for name in ("pred", "target"))
    results = {}
    for power in (1, 2):
        errors = relative_error(p, y, power).numpy()
        results[f"relative_l{power}"] = errors
        results[f"median_relative_l{power}"] = np.median(errors)
        results[f"mean_relative_l{power}"] = np.mean(errors)
    return results
