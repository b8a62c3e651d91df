"""Official names of scOT's weights, and building our network from its official configuration."""

import re
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_poseidon.network import ScOT
from pdebench_poseidon.skips import Skip

# Our name -> official name; first match wins for every alternative, all are tried in turn.
_RULES = (
    (r"^embed\.projection\.", "embeddings.patch_embeddings.projection."),
    (r"^embed\.positions$", "embeddings.position_embeddings"),
    (r"^embed\.", "embeddings."),
    (r"^encoder\.(\d+)\.step\.reduce\.", r"encoder.layers.\1.downsample.reduction."),
    (r"^encoder\.(\d+)\.step\.", r"encoder.layers.\1.downsample."),
    (r"^decoder\.(\d+)\.step\.expand\.", r"decoder.layers.\1.upsample.upsample."),
    (r"^decoder\.(\d+)\.step\.mix\.", r"decoder.layers.\1.upsample.mixup."),
    (r"^decoder\.(\d+)\.step\.", r"decoder.layers.\1.upsample."),
    (r"^recover\.mix\.", "patch_recovery.mixup."),
    (r"^recover\.", "patch_recovery."),
)
_BLOCK_RULES = (
    (r"attention\.bias\.first\.", "attention.self.continuous_position_bias_mlp.0."),
    (r"attention\.bias\.second\.", "attention.self.continuous_position_bias_mlp.2."),
    (r"attention\.out\.", "attention.output.dense."),
    (r"attention\.(query|key|value|logit_scale)", r"attention.self.\1"),
    (r"first\.", "intermediate.dense."),
    (r"second\.", "output.dense."),
    (r"norm1\.", "layernorm_before."),
    (r"norm2\.", "layernorm_after."),
)
_SKIP_RULES = (
    (r"depthwise\.", "dwconv."),
    (r"expand\.", "pwconv1."),
    (r"contract\.", "pwconv2."),
    (r"scale$", "weight"),
    (r"norm([12])\.", r"bn\1."),
)
# Functions of the sizes that some library versions store beside the weights.
_DERIVED = re.compile(r"relative_(coords_table|position_index)$|attn_mask$")


def official_key(key: str) -> str:
    """Return the official name of one of our weights."""
    block = re.match(r"^(encoder|decoder)\.(\d+)\.blocks\.(\d+)\.(.*)$", key)
    if block:
        return f"{block[1]}.layers.{block[2]}.blocks.{block[3]}.{_first(_BLOCK_RULES, block[4])}"
    skip = re.match(r"^skips\.(\d+)\.(\d+)\.(.*)$", key)
    if skip:
        return f"residual_blocks.{skip[1]}.{skip[2]}.{_first(_SKIP_RULES, skip[3])}"
    return _first(_RULES, key)


def _first(rules: tuple[tuple[str, str], ...], name: str) -> str:
    for pattern, to in rules:
        if re.match(pattern, name):
            return re.sub(pattern, to, name, count=1)
    return name


def load_official(
    network: nn.Module, state: Mapping[str, Tensor], fresh: tuple[str, ...] = ()
) -> None:
    """Copy official weights into ``network``.

    Weights of ours whose name starts with one of ``fresh`` keep their start. Raises ConfigError
    naming every weight that is missing, surplus or of another shape.
    """
    own = {official_key(key): value for key, value in network.state_dict().items()}
    skipped = {official_key(key) for key in network.state_dict() if fresh and key.startswith(fresh)}
    given = {key: value for key, value in state.items() if not _DERIVED.search(key)}
    missing = sorted(set(own) - set(given) - skipped)
    surplus = sorted(set(given) - set(own) - skipped)
    if missing or surplus:
        raise ConfigError(f"weights do not fit: missing {missing}, surplus {surplus}")
    wrong = [
        f"{key} has shape {tuple(given[key].shape)}, expected {tuple(value.shape)}"
        for key, value in own.items()
        if key not in skipped and given[key].shape != value.shape
    ]
    if wrong:
        raise ConfigError(f"weights do not fit: {'; '.join(wrong)}")
    with torch.no_grad():
        for key, value in own.items():
            if key not in skipped:
                value.copy_(given[key])


_DEFAULTS: dict[str, Any] = {  # of the official configuration class
    "image_size": 224,
    "patch_size": 4,
    "num_channels": 3,
    "num_out_channels": 1,
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "skip_connections": [1, 1, 1],
    "window_size": 7,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "drop_path_rate": 0.1,
    "use_absolute_embeddings": False,
    "layer_norm_eps": 1e-5,
    "residual_model": "convnext",
    "use_conditioning": False,
    "learn_residual": False,
    "pretrained_window_sizes": None,
}


def from_config(config: Mapping[str, Any], checkpointed: bool = False) -> ScOT:
    """Return the untrained network of an official configuration (config.json of a checkpoint).

    The published mask of -200 is kept. Raises ConfigError on an activation other than GELU.
    """
    if config.get("hidden_act", "gelu") != "gelu":
        raise ConfigError(f"hidden_act={config['hidden_act']!r}, expected 'gelu'")
    c = _DEFAULTS | {key: value for key, value in config.items() if key in _DEFAULTS}
    depths = tuple(c["depths"])
    trained = tuple(c["pretrained_window_sizes"] or ())
    return ScOT(
        c["num_channels"],
        c["num_out_channels"],
        image_size=c["image_size"],
        patch_size=c["patch_size"],
        embed_dim=c["embed_dim"],
        depths=depths,
        heads=c["num_heads"],
        skips=[int(n) for n in c["skip_connections"]][: len(depths)],
        window=c["window_size"],
        mlp_ratio=c["mlp_ratio"],
        conditioning=c["use_conditioning"],
        learn_residual=c["learn_residual"],
        absolute_positions=c["use_absolute_embeddings"],
        residual=c["residual_model"],
        biases=c["qkv_bias"],
        eps=c["layer_norm_eps"],
        drop_path=c["drop_path_rate"],
        trained_windows=(*trained, *(0,) * len(depths))[: len(depths)],
        mask_score=-200.0,
        checkpointed=checkpointed,
    )


def to_config(network: ScOT) -> dict[str, Any]:
    """Return the official configuration of a network, as `from_config` reads it."""
    plan = network.plan
    skips = [cast(Skip, skip) for skip in network.skips]
    kind = next((skip.kind for skip in skips), "convnext")
    return {
        "model_type": "swinv2",
        "image_size": plan.image_size,
        "patch_size": plan.patch_size,
        "num_channels": network.in_channels,
        "num_out_channels": network.out_channels,
        "embed_dim": plan.embed_dim,
        "depths": list(plan.depths),
        "num_heads": list(plan.heads),
        "skip_connections": [len(skip) for skip in skips],
        "window_size": plan.window,
        "mlp_ratio": plan.mlp_ratio,
        "qkv_bias": plan.biases,
        "drop_path_rate": plan.drop_path,
        "use_absolute_embeddings": network.embed.positions is not None,
        "layer_norm_eps": plan.eps,
        "residual_model": kind,
        "use_conditioning": plan.conditioning,
        "learn_residual": network.learn_residual,
        "pretrained_window_sizes": list(plan.trained_windows),
        "hidden_act": "gelu",
    }
