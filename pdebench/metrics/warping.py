"""Dynamic time warping inside a window."""

import torch
from torch import Tensor


def warp(cost: Tensor, window: int, free_start: bool = False) -> tuple[Tensor, Tensor]:
    """Return the least total cost (R,) of aligning two series, and how far its path strays (R,).

        D[i, j] = c[i, j] + min(D[i-1, j-1], D[i-1, j], D[i, j-1]),   abs(i - j) <= window,  D[0, 0]
        = c[0, 0]

    cost: (R, n, n), c[i, j] of matching frame i of one with frame j of the other. Sakoe and Chiba
    1978. The second result is the mean of abs(i - j) along the best path. ``free_start`` leaves
    c[0, 0] out. All rows advance together.
    """
    rows, num, _ = cost.shape
    infinity = cost.new_full((rows,), float("inf"))
    total = cost.new_full((rows, num, num), float("inf"))
    strayed = cost.new_zeros((rows, num, num))  # sum of abs(i - j) along the best path to (i, j)
    length = cost.new_ones((rows, num, num))
    total[:, 0, 0] = 0.0 if free_start else cost[:, 0, 0]
    for i in range(num):
        for j in range(max(0, i - window), min(num, i + window + 1)):
            if i == j == 0:
                continue
            before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
            options = torch.stack(
                [total[:, a, b] if min(a, b) >= 0 else infinity for a, b in before]
            )
            least, step = options.min(0)  # ties take the diagonal, which comes first
            total[:, i, j] = cost[:, i, j] + least
            for past, into in ((strayed, abs(i - j)), (length, 1)):
                steps = torch.stack([past[:, max(a, 0), max(b, 0)] for a, b in before])
                past[:, i, j] = steps.gather(0, step[None])[0] + into
    return total[:, -1, -1], strayed[:, -1, -1] / length[:, -1, -1]
