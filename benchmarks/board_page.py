"""The page of 10,000 records: time to build it, its size, time to open, sort, filter and scroll it.

    python benchmarks/board_page.py [--records 10000]

"spread": four tables of 500 rows with five seeds each, through the store. "one table": as many rows
as records, through the page alone, for what a browser has to bear. Opening is the browser's own
``loadEventEnd``; sorting and filtering take until the next frame is drawn, scrolling is the median
of 60 jumps. The browser is the system's Chromium, without a GPU; PDEBENCH_CHROMIUM names another.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from report import store_result

from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard import build
from pdebench.leaderboard.board import Board, Score
from pdebench.leaderboard.page import html

SAMPLES, SEEDS, TABLES = 16, 5, 4
METRIC = {"relative_l2": {"name": "pdebench.relative_l2@1", "unit": "1", "better": "lower"}}
PROGRAM = str(Path(sys.executable).with_name("pdebench"))

SCROLL = """async () => {
  const place = document.querySelector('.scroll'), taken = [];
  place.scrollIntoView({ block: 'end', behavior: 'instant' });
  for (let k = 0; k < 60; k += 1) {
    const began = performance.now();
    place.scrollTop = (k * 6367) % place.scrollHeight;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    taken.push(performance.now() - began);
  }
  return taken.sort((a, b) => a - b)[30];
}"""
SORT = """async () => {
  const heading = [...document.querySelectorAll('thead button')].find((b) => b.textContent.startsWith('solve'));
  const began = performance.now();
  heading.click();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began;
}"""  # noqa: E501
FILTER = """async () => {
  const field = document.querySelector('input[type=search]'), began = performance.now();
  field.value = '77';
  field.dispatchEvent(new Event('input'));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began;
}"""


def record(table: int, setting: int, seed: int, generator: np.random.Generator) -> Record:
    """Return a record of made-up scores."""
    error = 10 ** (-3 + 3 * ((setting * 7919) % 500) / 500)
    values = error * generator.lognormal(0, 0.3, SAMPLES)
    seconds = 10 ** generator.uniform(-5, -1)
    overrides = [f"solver.width={setting}"]
    solver = {"name": f"net_{setting % 9}", "plugin": f"pdebench-net{setting % 9}"}
    return Record(
        id=f"{table:02x}{setting:04x}{seed:02x}".ljust(64, "0"),
        status="ok",
        task={"name": f"flow/task_{table}", "version": "1", "track": "tiny", "digest": "d" * 64}
        | {"dataset": {"name": "flow", "summary": "A flow."}, "metrics": METRIC}
        | {"headline": "relative_l2", "evaluate": ["test"], "ladder": []},
        solver=solver | {"version": "1.0", "overrides": overrides},
        seed=seed,
        uses=["labels"],
        parameters=1000 * (1 + setting),
        scores={"test": {"relative_l2": {"values": values.tolist()}}},
        costs={
            "fit": {"seconds": 60.0, "repeats": 1, "peak_bytes": 1 << 28},
            "solve": {
                "seconds": seconds,
                "low": 0.98 * seconds,
                "high": 1.02 * seconds,
                "batch": 4,
            },
        },
        environment={"device": "cpu", "processor": "none", "threads": 1},
        versions={"torch": "2.13.0"},
        config={"solver": {"width": setting}, "task": {"batch": 4}, "seed": seed},
        created="2026-01-01T00:00:00+00:00",
    )


def one_table(board: Board, count: int) -> Board:
    """Return the first table with ``count`` rows."""
    table = board.tables[0]
    rows = []
    for k in range(count):
        row, mean = table.rows[k % len(table.rows)], 0.01 + 1e-4 * k
        scores = {"test": {"relative_l2": Score(mean, 0.9 * mean, 1.1 * mean, mean, mean)}}
        label, rank = f"{row.label} {k}", (k + 1, k + 1)
        rows.append(
            replace(row, id=f"{k:012x}", label=label, place=k + 1, rank=rank, scores=scores)
        )
    return replace(board, tables=(replace(table, rows=tuple(rows)),), records=count)


def browsed(file: Path) -> dict[str, float]:
    """Return what opening and using a page takes, best of three."""
    from playwright.sync_api import sync_playwright

    names = (os.environ.get("PDEBENCH_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    program = next((p for n in names if n and (p := shutil.which(n))), None)
    if program is None:
        raise SystemExit("board_page: no Chromium; install one or set PDEBENCH_CHROMIUM")
    tries: list[dict[str, float]] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(file.as_uri())
            opened: Any = page.evaluate(
                "performance.getEntriesByType('navigation')[0].loadEventEnd"
            )
            if page.locator("article.card a").count():
                page.locator("article.card a").first.click()
            page.wait_for_selector("tr.row")
            found = {"open_s": opened / 1000, "rows_in_document": page.locator("tr.row").count()}
            for name, script in (("scroll_s", SCROLL), ("sort_s", SORT), ("filter_s", FILTER)):
                found[name] = page.evaluate(script) / 1000
            tries.append(found)
            page.close()
        browser.close()
    return {name: min(one[name] for one in tries) for name in tries[0]}


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args().records
    generator = np.random.default_rng(0)
    settings = count // (TABLES * SEEDS)
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        made = [
            record(table, setting, seed, generator)
            for table in range(TABLES)
            for setting in range(settings)
            for seed in range(SEEDS)
        ]
        for one in made:
            store.put(one, "cpu")
        listing = [PROGRAM, "store", "--store", str(store.root), "list"]
        board = [PROGRAM, "board", "--store", str(store.root), "--out", f"{folder}/board"]
        taken = []
        for command in (listing, listing, board):  # without the index, with it
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken.append(time.perf_counter() - began)
        page = Path(folder) / "board" / "index.html"
        facts = {"list_cold_s": taken[0], "list_warm_s": taken[1], "build_s": taken[2]}
        rows["spread"] = {"records": len(made), "rows": TABLES * settings} | facts
        rows["spread"] |= {"page_mb": page.stat().st_size / 1e6} | browsed(page)
        sys.stdout.write(f"spread: {json.dumps(rows['spread'])}\n")
        few = build(r for r in made if r.task["name"] == "flow/task_0" and int(r.id[2:6], 16) < 9)
        long = Path(folder) / "long.html"
        long.write_text(html(one_table(few, count)), encoding="utf-8")
        rows["one table"] = {"rows": count, "page_mb": long.stat().st_size / 1e6} | browsed(long)
        sys.stdout.write(f"one table: {json.dumps(rows['one table'])}\n")
    store_result(
        "board_page", {"rows": rows, "load_average": os.getloadavg()[1]}, ("playwright", "numpy")
    )


if __name__ == "__main__":
    main()
