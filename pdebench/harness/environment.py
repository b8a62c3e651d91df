"""What a figure was measured on: recorded beside every record, never part of its id."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = (
    "pdebench-suite",
    "torch",
    "numpy",
    "scipy",
    "lightning",
    "hydra-core",
    "h5py",
    "xarray",
)


def device_kind(asked: str) -> str:
    """Return "cpu" or "cuda" for a ``device`` setting; "auto" looks for an NVIDIA device without
    importing torch.
    """
    if asked != "auto":
        return asked.partition(":")[0]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    return "cuda" if os.path.exists("/dev/nvidiactl") and visible not in ("", "-1") else "cpu"


def processor() -> str:
    """Return the processor's model name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: the platform's own word serves
    return platform.processor() or platform.machine()


def environment(kind: str) -> dict[str, Any]:
    """Return device, threads, processor, memory and load of this machine (needs torch)."""
    import torch

    described: dict[str, Any] = {
        "device": kind,
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    if kind == "cuda":
        properties = torch.cuda.get_device_properties(0)
        described |= {
            "device_name": properties.name,
            "device_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
        }
    return described


def versions(extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the installed versions of the suite's packages and of ``extra`` distributions."""
    found: dict[str, str] = {}
    for name in (*_PACKAGES, *extra):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
