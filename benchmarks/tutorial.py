"""docs/plugins.md followed by a new user from an empty folder: wall seconds of every step.

    python benchmarks/tutorial.py [--index-options "--index-url ..."]

A fresh environment, wheels built from this tree, every dependency installed by pip, then the
commands of "As a plugin": new, install, tests, check, run beside two others, board. Fails where a
command fails or the new model is not in the table. Building the wheels is not counted: who installs
from an index does not.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from report import store_result

ROOT = Path(__file__).resolve().parents[1]
WHEELS = (".", "datasets/navier_stokes", "plugins/spectral")
LIMIT = 15 * 60  # seconds, from pip install to the table


def steps(folder: Path, options: str) -> list[tuple[str, str]]:
    """Return names and commands, as typed in ``folder``; its environment's programs come first."""
    core, *others = (next((folder / "wheels").glob(f"{name}-*.whl")).name for name in (
        "pdebench_suite", "pdebench_data_navier_stokes", "pdebench_spectral"))  # fmt: skip
    wheels = " ".join(["'wheels/" + core + "[new]'", *(f"wheels/{other}" for other in others)])
    constraint = f"--constraint {shlex.quote(str(ROOT / 'constraints.txt'))}"
    return [
        ("environment", f"{shlex.quote(sys.executable)} -m venv venv"),
        ("pip install", f"pip install -q {options} {constraint} {wheels} pytest setuptools"),
        ("new", "pdebench new solver my_net"),
        ("install", f"pip install -q {options} --no-build-isolation -e my_net"),
        ("tests", "python -m pytest -q my_net"),
        ("check", "pdebench check my_net"),
        ("run", "pdebench run -m solver=my_net,persistence,spectral_n8_h0.5 seed=0,1"),
        ("board", "pdebench board --out my_board"),
    ]


def main() -> None:
    """Follow the tutorial, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index-options", default="", help="for pip install")
    options = parser.parse_args().index_options
    rows: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in WHEELS:
            build = [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "-q",
                "--no-deps",
                "--no-build-isolation",
            ]
            subprocess.run(
                [*build, "-w", str(folder / "wheels"), f"./{part}"], cwd=ROOT, check=True
            )
        path = f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PDEBENCH_STORE", "PDEBENCH_DATA")
        around = {k: v for k, v in os.environ.items() if k not in hidden} | {"PATH": path}
        around |= {"XDG_DATA_HOME": name, "XDG_CACHE_HOME": name}  # records and data of its own
        for step, command in steps(folder, options):
            began = time.perf_counter()
            done = subprocess.run(command, shell=True, cwd=folder, env=around, text=True,
                                  capture_output=True, check=False)  # fmt: skip
            if done.returncode:
                raise SystemExit(f"tutorial: {step}: {command}\n{done.stdout}{done.stderr}")
            said = command.replace(str(ROOT), ".").replace(sys.executable, "python")
            rows[step] = {"seconds": time.perf_counter() - began, "command": said}
            sys.stdout.write(f"{step}: {json.dumps(rows[step])}\n")
            sys.stdout.flush()
        table = next((folder / "my_board").rglob("*.md")).read_text(encoding="utf-8")
        if "`my_net`" not in table:
            raise SystemExit("tutorial: my_net is not in the table")
    total = sum(float(str(row["seconds"])) for row in rows.values())
    sys.stdout.write(f"{total:.0f} s of {LIMIT} s\n")
    store_result(
        "tutorial",
        {"rows": rows, "total_s": total, "limit_s": LIMIT, "load_average": os.getloadavg()[1]},
        ("torch",),
    )


if __name__ == "__main__":
    main()
