"""Recompute scores recorded from PDEBench's and The Well's own programs, from their array names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.errors import DataError
from pdebench.metrics.published import pdebench as p
from pdebench.metrics.published import the_well as w

Array = NDArray[Any]

_NAMES = {  # of our scores in the recorded archives
    "rmse": "RMSE",
    "nrmse": "nRMSE",
    "crmse": "cRMSE",
    "max": "maxE",
    "brmse": "bRMSE",
    "frmse": "fRMSE",
}


def evaluate(meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return every score of every case ``<case>/pred``, ``<case>/target`` under ``<case>/<score>``.

    ``meta["source"]`` names the program (PDEBench or the_well), ``meta["cases"][case]["kwargs"]``
    its arguments. Raises DataError for another program or a case without its target.
    """
    source = str(meta.get("source", "")).lower()
    if "pdebench" in source:
        family, first_space, time = _pdebench, 1, -2
    elif "well" in source:
        family, first_space, time = _the_well, 2, 1
    else:
        raise DataError(f"meta['source'] is {source!r}, expected PDEBench's or The Well's program")
    cases = meta.get("cases", {})
    results: dict[str, Array] = {}
    for name in sorted(inputs):
        case, _, role = name.rpartition("/")
        if role != "pred":
            continue
        if f"{case}/target" not in inputs:
            raise DataError(f"inputs hold '{name}' but no '{case}/target'")
        fields = [_ours(inputs[f"{case}/{r}"], first_space, time) for r in ("pred", "target")]
        options = dict(cases.get(case, {}).get("kwargs", {}))
        found = family(fields[0], fields[1], options)
        results |= {f"{case}/{key}": value.numpy() for key, value in found.items()}
    return results


def _ours(field: Array, first_space: int, time: int) -> Tensor:
    """Return (B, T, C, *S) float64 of an array with batch first and channel last."""
    num = field.ndim - 3
    space = range(first_space, first_space + num)
    order = (0, time % field.ndim, field.ndim - 1, *space)
    return torch.from_numpy(np.ascontiguousarray(field.transpose(order), dtype=np.float64))


def _pdebench(prediction: Tensor, target: Tensor, options: dict[str, Any]) -> dict[str, Tensor]:
    start = int(options.pop("initial_step", 1))
    extent = [float(options.pop(key, 1.0)) for key in ("Lx", "Ly", "Lz")][: target.ndim - 3]
    low, high = int(options.pop("iLow", p.LOW)), int(options.pop("iHigh", p.HIGH))
    options.pop("if_mean", None)
    if options:
        raise DataError(f"unknown arguments of metric_func: {sorted(options)}")
    found = p.scores(prediction[:, start:], target[:, start:], extent, low, high)
    scores = {_NAMES[key]: value for key, value in found.items()}
    means = {key: value.mean((0, 2) if key == "fRMSE" else None) for key, value in scores.items()}
    norms = [torch.linalg.vector_norm(v.flatten(1), dim=1) for v in (prediction - target, target)]
    relative = (norms[0] / (norms[1] + 1e-20)).mean()  # the program's guard
    return (
        scores
        | {f"{key}_mean": value for key, value in means.items()}
        | {f"{key}_mean_f64": value for key, value in means.items()}
        | {"relL2": relative}
    )


def _the_well(x: Tensor, y: Tensor, options: dict[str, Any]) -> dict[str, Tensor]:
    if options:
        raise DataError(f"unknown arguments of The Well's metrics: {sorted(options)}")
    mse, vmse, nmse = w.mse(x, y), w.vmse(x, y), w.nmse(x, y)
    distance, distortion = w.dtw(x, y)
    scores = {
        "MSE": mse,
        "RMSE": mse.sqrt(),
        "MAE": w.mae(x, y),
        "LInfinity": (x - y).abs().flatten(3).amax(-1),
        "NMSE": nmse,
        "NRMSE": nmse.sqrt(),
        "NMAE": w.nmae(x, y),
        "VMSE": vmse,
        "VRMSE": vmse.sqrt(),
        "PearsonR": w.pearson(x, y),
        "HistogramW1": w.histogram_w1(x, y),
        "dtw_distance": distance,
        "dtw_path_distortion": distortion,
    }
    for name, values in zip(("mse", "nmse"), w.binned_spectral_mse(x, y), strict=True):
        for k in range(values.shape[-1]):
            scores[f"spectral_error_{name}_per_bin_{k}"] = values[..., k]
    scores |= {f"{key}_f64": value for key, value in scores.items()}
    edges, mean, deviation, _ = w.power_spectrum(y)
    return scores | {"ps_bins": edges, "ps_mean": mean, "ps_std": deviation}
