"""Published checkpoint folders: ``config.json`` and ``model.safetensors``, read offline."""

import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pdebench.atomic import atomic_path, write_atomically
from pdebench.errors import DataError
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.official import from_config, load_official, official_key, to_config

_SAFE, _PICKLED = "model.safetensors", "pytorch_model.bin"


def find_checkpoint(name: str | Path) -> Path:
    """Return the folder of a checkpoint: a local path, or owner/name in the user's hub cache.

    The cache is HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. Nothing is ever
    downloaded. Raises DataError saying where it looked.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    cache = _cache()
    if re.fullmatch(r"[\w.-]+/[\w.-]+", str(name)):
        kept = cache / f"models--{str(name).replace('/', '--')}"
        main = kept / "refs" / "main"
        snapshots = [kept / "snapshots" / main.read_text().strip()] if main.is_file() else []
        snapshots += sorted((kept / "snapshots").glob("*"))
        for snapshot in snapshots:
            if (snapshot / "config.json").is_file():
                return snapshot
    raise DataError(
        f"no checkpoint '{name}': neither a folder nor in the hub cache '{cache}'; download it "
        "there with your own hub client, or give the path of its folder (nothing is downloaded "
        "here)"
    )


def _cache() -> Path:
    named = os.environ.get("HF_HUB_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("HF_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "huggingface") / "hub"


def read_config(folder: Path) -> dict[str, Any]:
    """Return the official configuration of a checkpoint folder."""
    file = folder / "config.json"
    if not file.is_file():
        raise DataError(f"'{file}' does not exist, expected the configuration of the checkpoint")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"'{file}' is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise DataError(f"'{file}' holds a {type(config).__name__}, expected an object")
    return config


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the official weights: model.safetensors, else pytorch_model.bin.

    A pickle is opened with torch's weights-only loader alone, which refuses anything but tensors
    in plain containers. Raises DataError where neither file can be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = weights_file(folder)
    if file.name == _SAFE:
        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise DataError(f"'{file}' cannot be read: {error}") from error
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # refused or broken pickles raise many types
        raise DataError(
            f"'{file}' is not a file of plain tensors and was not opened further: "
            f"{type(error).__name__}"
        ) from error


def weights_file(folder: Path) -> Path:
    """Return model.safetensors, else pytorch_model.bin. Raises DataError where neither is there."""
    for name in (_SAFE, _PICKLED):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"'{folder}' holds neither {_SAFE} nor {_PICKLED}")


def load_network(name: str | Path) -> ScOT:
    """Return the network of a checkpoint with its weights, ready to be evaluated."""
    folder = find_checkpoint(name)
    network = from_config(read_config(folder))
    load_official(network, read_weights(folder))
    return network.eval()


def save_network(network: ScOT, folder: str | Path) -> None:
    """Write a checkpoint folder that `load_network` and the authors' program read.

    The way from a pretraining of one's own to fine-tuning: ``solver.checkpoint=<folder>``.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    weights = {official_key(key): w.contiguous() for key, w in network.state_dict().items()}
    with atomic_path(folder / _SAFE) as partial:
        save_file(weights, partial, metadata={"format": "pt"})
    content = json.dumps(to_config(network), indent=2, sort_keys=True) + "\n"
    write_atomically(folder / "config.json", content.encode())
