"""What a training step holds in memory: T1, LSM and MgNO beside FNO.

    python benchmarks/step_memory.py

Counted, not sampled: parameters, their gradients and Adam's two moments, and every tensor that the
forward pass keeps for the backward one (each storage once). 64^2 and 256^2 points, batch 4, one
field in and one out, float32; the configurations of the speed comparisons.
"""

import sys

import torch
from pdebench_fno.network import FNO
from pdebench_lsm.network import LSM
from pdebench_mgno.network import MgNO
from pdebench_t1.network import T1
from report import store_result
from torch import Tensor, nn

BATCH, MODES = 4, 24


def networks(size: int) -> dict[str, nn.Module]:
    """Return the compared networks for a grid of size^2 points."""
    return {
        "fno": FNO((2 * MODES, 2 * MODES), 1, 1, width=32, layers=4),
        "t1": T1(1, 1, (size, size), modes=(MODES, MODES), width=64, layers=4),
        "lsm": LSM(1, 1, (size, size), 32, patch=(4, 4)),
        "mgno": MgNO(1, 1, (size, size), 24, 5, [[1, 0]] * 5 + [[2, 0]]),
    }


def held_bytes(network: nn.Module, x: Tensor) -> dict[str, int]:
    """Return bytes of parameters and of what one forward pass keeps besides them."""
    own = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in
           network.parameters()}  # fmt: skip
    kept: dict[int, int] = {}

    def keep(t: Tensor) -> Tensor:
        if t.untyped_storage().data_ptr() not in own:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        answer = (
            network.coefficients(x) if isinstance(network, T1) else network(x)
        )  # T1 trains in coefficients
        loss = answer.square().mean()
    del loss
    parameters = sum(own.values())
    return {"parameters": parameters, "kept": sum(kept.values())}


def main() -> None:
    """Count, print and store."""
    rows: dict[str, dict[str, float]] = {}
    for size in (64, 256):
        x = torch.randn(BATCH, 1, size, size)
        for name, network in networks(size).items():
            torch.manual_seed(0)
            held = held_bytes(network.train(), x)
            total = 4 * held["parameters"] + held["kept"]
            rows[f"{name} {size}^2"] = {**held, "step": total}
    for key, row in rows.items():
        row["against fno"] = row["step"] / rows[f"fno {key.split()[1]}"]["step"]
        sys.stdout.write(
            f"{key:<12} {row['step'] / 2**20:8.1f} MiB  {row['against fno']:.2f} x FNO\n"
        )
    store_result("step_memory", {"rows": rows, "batch": BATCH})


if __name__ == "__main__":
    main()
