"""Second derivatives on uniform nodes, of any order of accuracy up to the boundary."""

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


def second_derivative(points: int, spacing: float, order: int) -> Any:
    """Return the matrix (n - 2, n) of u_xx at inner nodes: ``order`` + 1 centred points, one more
    near an end, so that the order holds everywhere.
    """
    reach = order // 2
    rows, columns, values = [], [], []
    for i in range(1, points - 1):
        centred = i - reach >= 0 and i + reach < points
        count = order + 1 if centred else min(order + 2, points)
        first = min(max(i - count // 2, 0), points - count)
        offsets = np.arange(first, first + count) - i
        rows += [i - 1] * count
        columns += list(range(first, first + count))
        values += list(weights(offsets, 2) / spacing**2)
    return sparse.csr_array((values, (rows, columns)), shape=(points - 2, points))
