"""One FNO-2D training step against `neuraloperator` 2.0.0 from PyPI: same modes, width, layers,
weights and optimiser.

    pip install --no-deps -r benchmarks/requirements.txt
    python benchmarks/fno_step.py [--threads 2] [--rounds 15]

64^2 points, width 32, 12 modes of each sign (24 counted as the library does), 4 layers, batch 16,
Adam. Both networks hold the same numbers and must give the same output first. One process, the two
take turns, medians of rounds.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))
from pdebench_fno.reference import library_network
from report import interleaved, write_result

KWARGS = {
    "n_modes": [24, 24],
    "in_channels": 10,
    "out_channels": 1,
    "hidden_channels": 32,
    "n_layers": 4,
}
BATCH, GRID = 16, 64


def peer() -> nn.Module:
    """Return the library's network."""
    from neuralop.models import FNO

    torch.manual_seed(0)
    return FNO(**{**KWARGS, "n_modes": tuple(KWARGS["n_modes"])})


def same_weights(library: nn.Module) -> nn.Module:
    """Return our network with the library's weights."""
    state = {
        key: value.detach().numpy()
        for key, value in library.state_dict().items()
        if key != "_metadata"
    }
    state = {
        key: np.asarray(value) for key, value in state.items() if isinstance(value, np.ndarray)
    }
    return library_network({"kwargs": KWARGS}, state)


def step(network: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    """Return one training step as a function."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        error = (network(x) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
        error.mean().backward()
        optimizer.step()

    return once


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(BATCH, 10, GRID, GRID, generator=generator)
    y = torch.randn(BATCH, 1, GRID, GRID, generator=generator)
    library = peer()
    ours = same_weights(library)
    with torch.no_grad():
        expected = library(x)
        difference = float((ours(x) - expected).norm() / expected.norm())
    if difference > 1e-5:  # float32 round-off of the same formula
        raise SystemExit(
            f"the two networks differ by {difference:.1e}; the comparison would mean nothing"
        )
    began = time.time()
    seconds = interleaved(
        {"ours": step(ours, x, y), "neuraloperator": step(library, x, y)}, options.rounds
    )
    write_result(
        "fno_step",
        seconds,
        baseline="neuraloperator",
        facts={
            "output difference": difference,
            "threads": options.threads,
            "grid": GRID,
            "batch": BATCH,
            **KWARGS,
        },
        packages=("torch", "neuraloperator"),
        elapsed=time.time() - began,
    )


if __name__ == "__main__":
    main()
