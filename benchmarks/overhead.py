"""What the suite's training costs above a bare PyTorch loop that does the same work.

    python benchmarks/overhead.py [--threads 2] [--rounds 9] [--epochs 4]

The same FNO (64^2, width 32, 12 modes of each sign, batch 16), data, loss, gradient clipping,
optimiser and validation; seconds of the whole fit, set-up included, divided by its training steps.
One process, in turn, medians of rounds.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from pdebench_fno.network import FNO as Network
from pdebench_fno.solver import FNO
from report import interleaved, write_result

from pdebench.learning import OneShot, Training
from pdebench.learning.losses import RelativeL2
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.testing.problems import DecayingModes

TRAIN, VALID, BATCH = 128, 16, 16
STEPS = TRAIN // BATCH


def network(in_channels: int, out_channels: int) -> nn.Module:
    """Return the network of the comparison."""
    return Network([24, 24], in_channels, out_channels, width=32)


def repeated(samples: Samples, num: int) -> Samples:
    """Return ``num`` samples, the given ones over and over."""
    where = [i % len(samples) for i in range(num)]
    return Samples.of(samples.problem.take(where), samples.target[where])


def suite(train: Samples, valid: Samples, epochs: int) -> Callable[[], None]:
    """Return a fit by the suite."""

    def work() -> None:
        torch.manual_seed(0)
        training = Training(
            optimizer=lambda p: torch.optim.Adam(p, lr=1e-3), batch_size=BATCH, gradient_clip=1.0
        )
        FNO(network, OneShot(), training).fit(train, valid, Budget(epochs=epochs))

    return work


def bare(train: Samples, valid: Samples, epochs: int) -> Callable[[], None]:
    """Return the same fit as a plain loop."""
    weights = train.problem.domain.weights.float()

    def work() -> None:
        torch.manual_seed(0)
        x, y = train.problem.input, train.target.flatten(1, 2)
        model, loss = network(x.shape[1], y.shape[1]), RelativeL2()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(epochs):
            model.train()
            for batch in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss(model(x[batch]), y[batch], weights).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
            model.eval()
            with torch.no_grad():
                loss(model(valid.problem.input), valid.target.flatten(1, 2), weights)

    return work


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = DecayingModes(64, 3)
    train, valid = repeated(data.split("train"), TRAIN), repeated(data.split("valid"), VALID)
    began = time.time()
    pieces = {
        "suite": suite(train, valid, options.epochs),
        "bare": bare(train, valid, options.epochs),
    }
    seconds = interleaved(pieces, options.rounds, warmup=1)
    steps = {
        name: [value / (options.epochs * STEPS) for value in values]
        for name, values in seconds.items()
    }
    facts = {"threads": options.threads, "steps_per_epoch": STEPS, "epochs": options.epochs}
    write_result("overhead", steps, "bare", facts, ("torch", "lightning"), time.time() - began)


if __name__ == "__main__":
    main()
