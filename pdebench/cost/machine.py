"""The state of the machine beside a figure: threads, affinity, clocks, load, throttling."""

import importlib
import os
from pathlib import Path
from typing import Any

import torch

_CPU = Path("/sys/devices/system/cpu")


def conditions(device: torch.device) -> dict[str, Any]:
    """Return what a timing depends on and a record's environment does not hold.

    threads, interop_threads; affinity: cores this process may use; load: 1-minute average;
    cpu_mhz: mean clock of those cores; on a GPU gpu_mhz, gpu_memory_mhz, gpu_celsius and
    gpu_throttled, the reasons for which NVML says the clocks are held back (a bit mask; None where
    there is none: a figure measured meanwhile is noisy, whatever its interval). None where
    unreadable.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    found: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "affinity": cores,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "cpu_mhz": _megahertz(cores or []),
    }
    return found | _gpu(device) if device.type == "cuda" else found


def _megahertz(cores: list[int]) -> float | None:
    clocks = []
    for core in cores:
        try:
            text = (_CPU / f"cpu{core}/cpufreq/scaling_cur_freq").read_text(encoding="ascii")
            clocks.append(int(text) / 1e3)
        except (OSError, ValueError):
            return _from_cpuinfo(cores)
    return round(sum(clocks) / len(clocks), 1) if clocks else None


def _from_cpuinfo(cores: list[int]) -> float | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        clocks = [float(x.partition(":")[2]) for x in lines if x.startswith("cpu MHz")]
    except (OSError, ValueError):
        return None
    chosen = [clocks[core] for core in cores if core < len(clocks)]
    return round(sum(chosen) / len(chosen), 1) if chosen else None


def nvml_handle(device: torch.device) -> tuple[Any, Any]:
    """Return NVML's Python binding and its handle of ``device``; raises where there is none."""
    library: Any = importlib.import_module("pynvml")
    library.nvmlInit()
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    return library, library.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode())


def _gpu(device: torch.device) -> dict[str, Any]:
    names = ("gpu_mhz", "gpu_memory_mhz", "gpu_celsius", "gpu_throttled")
    try:
        library, handle = nvml_handle(device)
        held = library.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
        idle = library.nvmlClocksThrottleReasonGpuIdle
        return {
            "gpu_mhz": library.nvmlDeviceGetClockInfo(handle, library.NVML_CLOCK_SM),
            "gpu_memory_mhz": library.nvmlDeviceGetClockInfo(handle, library.NVML_CLOCK_MEM),
            "gpu_celsius": library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU),
            "gpu_throttled": hex(held & ~idle) if held & ~idle else None,
        }
    except Exception:  # no binding or an old driver: nothing to record
        return dict.fromkeys(names)
