"""Derivatives on uniform nodes, of any order of accuracy up to the boundary."""

import math
from typing import Any

import numpy as np
from scipy import sparse


def weights(offsets: np.ndarray, derivative: int) -> np.ndarray:
    """Return w with sum_j w_j p(o_j) = p^(m)(0) for polynomials of degree below len(o).

    Fornberg, Math. Comp. 51 (1988), here by the moment equations sum_j w_j o_j^i = i! delta_im.
    """
    moments = np.vander(offsets, increasing=True).T.astype(float)
    right = np.zeros(len(offsets))
    right[derivative] = math.factorial(derivative)
    return np.linalg.solve(moments, right)


def derivative(points: int, spacing: float, order: int, times: int = 2) -> Any:
    """Return the matrix (n, n) of the first or second (``times``) derivative at all nodes.

    ``order`` + 1 centred points; near an end ``order`` + ``times``, so that the order holds
    everywhere.
    """
    reach = order // 2
    known: dict[tuple[int, int], np.ndarray] = {}
    rows, columns, values = [], [], []
    for i in range(points):
        centred = i - reach >= 0 and i + reach < points
        count = order + 1 if centred else min(order + times, points)
        first = min(max(i - count // 2, 0), points - count)
        place = (first - i, count)
        if place not in known:
            known[place] = weights(np.arange(first, first + count) - i, times) / spacing**times
        rows += [i] * count
        columns += list(range(first, first + count))
        values += list(known[place])
    return sparse.csr_array((values, (rows, columns)), shape=(points, points))
