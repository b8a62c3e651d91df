"""scOT: the scalable operator transformer of Poseidon."""

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_poseidon.block import Blocks
from pdebench_poseidon.plan import Plan
from pdebench_poseidon.resample import Embedding, Merge, Recovery, Unmerge, resize
from pdebench_poseidon.skips import Residual, Skip


@final
class EncoderStage(nn.Module):
    """Blocks, then (but at the last level) the step to the coarser grid.

    Returns (tokens for the next stage, tokens before the step): the step sees the sum of what
    entered and what left the blocks, the skip only the latter.
    """

    def __init__(self, blocks: Blocks, step: Merge | None) -> None:
        super().__init__()
        self.blocks, self.step = blocks, step

    def forward(self, x: Tensor, time: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the tokens of the next stage and those of the skip."""
        y = self.blocks(x, time)
        return (y if self.step is None else self.step(y + x, time)), y


@final
class DecoderStage(nn.Module):
    """Blocks, then (but at the finest level) the step to the finer grid of ``finer`` tokens."""

    def __init__(self, blocks: Blocks, step: Unmerge | None, finer: int) -> None:
        super().__init__()
        self.blocks, self.step, self.finer = blocks, step, finer

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return the tokens of the next stage."""
        y = self.blocks(x, time)
        return y if self.step is None else self.step(y, (self.finer, self.finer), time)


def _encoder_stage(plan: Plan, level: int) -> EncoderStage:
    last = level == plan.stages - 1
    step = None if last else Merge(plan.dim(level), plan.conditioning, plan.eps)
    return EncoderStage(plan.blocks(level, decoding=False), step)


def _decoder_stage(plan: Plan, level: int) -> DecoderStage:
    step = Unmerge(plan.dim(level), plan.conditioning, plan.eps) if level else None
    finer = plan.grid(level - 1) if level else 0
    return DecoderStage(plan.blocks(level, decoding=True), step, finer)


@final
class ScOT(nn.Module):
    """The scalable operator transformer: u(t_0) -> u(t_0 + t), a Swin-V2 U-shaped transformer.

        tokens = embed(x);  encoder stages with merges;  residual blocks on the skips;
        decoder stages with un-merges;  image = recover(tokens)  [ + x with ``learn_residual`` ]

    x: (B, in_channels, n, n); time: (B,) lead time in the unit of training, None without
    conditioning.  Returns (B, out_channels, n, n). Images of n != image_size points are resized by
    their Fourier modes and back, so periodic fields are meant there.
    Stage l has W_l = min(window, (I // P) // 2^l) and no shift where the grid is not larger.
    Herde et al., NeurIPS 2024 (arXiv 2405.19101), secs. 2 and A.

    Args:
        in_channels, out_channels: channels of input and output.
        image_size: I, points per side that the network works on.
        patch_size: P, points per side of a token.
        embed_dim: channels of the finest stage; they double from stage to stage.
        depths: blocks per stage.
        heads: attention heads per stage.
        skips: residual blocks on each stage's skip.
        window: largest W, tokens.
        mlp_ratio: hidden width of the blocks in units of their channels.
        conditioning: norms follow the lead time.
        learn_residual: the network gives the change of its first out_channels inputs.
        absolute_positions: learned position of every token.
        residual: "convnext" or "resnet" blocks on the skips.
        biases: of queries and values.
        eps: of the norms.
        drop_path: largest probability of leaving out a branch in training, reached in the deepest
            block of the encoder and left in the decoder likewise.
        trained_windows: window per stage that normalises offsets, 0 for W_l; None for all 0.
        mask_score: added to scores of tokens that a roll made neighbours; None excludes them, the
            released program adds -200 (-100, twice).
        checkpointed: trade time for memory in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        image_size: int = 128,
        patch_size: int = 4,
        embed_dim: int = 48,
        depths: Sequence[int] = (4, 4, 4, 4),
        heads: Sequence[int] = (3, 6, 12, 24),
        skips: Sequence[int] = (2, 2, 2, 0),
        window: int = 16,
        mlp_ratio: float = 4.0,
        conditioning: bool = True,
        learn_residual: bool = False,
        absolute_positions: bool = False,
        residual: Residual = "convnext",
        biases: bool = True,
        eps: float = 1e-5,
        drop_path: float = 0.0,
        trained_windows: Sequence[int] | None = None,
        mask_score: float | None = None,
        checkpointed: bool = False,
    ) -> None:
        super().__init__()
        plan = Plan(
            image_size,
            patch_size,
            embed_dim,
            tuple(depths),
            tuple(heads),
            window,
            mlp_ratio,
            conditioning,
            biases,
            eps,
            drop_path,
            tuple(trained_windows or (0,) * len(depths)),
            float("-inf") if mask_score is None else mask_score,
            checkpointed,
        )
        numbers = (*skips, *(0,) * (plan.stages - len(skips)))
        if len(numbers) != plan.stages:
            raise ConfigError(f"skips has {len(skips)} entries, depths {plan.stages}")
        if learn_residual and conditioning and in_channels < out_channels:
            raise ConfigError(
                f"learn_residual adds the first {out_channels} channels, the input has only "
                f"{in_channels}"
            )
        self.in_channels, self.out_channels, self.plan = in_channels, out_channels, plan
        self.learn_residual = learn_residual and conditioning
        self.embed = Embedding(
            in_channels,
            embed_dim,
            patch_size,
            plan.grid(0),
            absolute_positions,
            conditioning,
            eps,
        )
        levels = range(plan.stages)
        self.encoder = nn.ModuleList(_encoder_stage(plan, level) for level in levels)
        self.decoder = nn.ModuleList(_decoder_stage(plan, level) for level in reversed(levels))
        self.skips = nn.ModuleList(
            Skip(int(numbers[level]), plan.dim(level), residual, conditioning, eps)
            for level in levels
        )
        self.recover = Recovery(embed_dim, out_channels, patch_size)
        self.apply(_start)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Map (B, in_channels, n, n) to (B, out_channels, n, n)."""
        num = self._checked(x, time)
        if not self.plan.conditioning:
            time = None
        image = resize(x, self.plan.image_size)
        tokens = self.embed(image, time)
        kept: list[Tensor] = []
        for level, stage in enumerate(self.encoder):
            tokens, before = stage(tokens, time)
            kept.append(self.skips[level](before, time))
        tokens = kept[-1]
        for place, stage in enumerate(self.decoder):
            level = self.plan.stages - 1 - place
            if place:
                tokens = tokens + kept[level]
            tokens = stage(tokens, time)
        y = self.recover(tokens, self.plan.image_size)
        if self.learn_residual:
            y = y + image[:, : self.out_channels]
        return resize(y, num)

    def _checked(self, x: Tensor, time: Tensor | None) -> int:
        """Return n; ConfigError where the image or the lead times do not fit."""
        if x.ndim != 4 or x.shape[1] != self.in_channels or x.shape[-1] != x.shape[-2]:
            raise ConfigError(
                f"the input has shape {tuple(x.shape)}, expected (batch, {self.in_channels}, n, n)"
            )
        if self.plan.conditioning and (time is None or time.shape != x.shape[:1]):
            got = None if time is None else tuple(time.shape)
            raise ConfigError(
                f"time is {got}, expected one lead time per sample ({len(x)},); steady problems "
                "take 1"
            )
        return x.shape[-1]


def _start(module: nn.Module) -> None:
    """Draw the published start: weights N(0, 0.02), biases 0; norms, scales and biases as made."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
