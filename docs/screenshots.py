"""Take the pictures of the board in docs/screenshots: python docs/screenshots.py.

The page of leaderboards/demo at the widths of a desktop and of a phone, by the system's Chromium
(PDEBENCH_CHROMIUM names another).
"""

import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"desktop": (1280, 1600), "phone": (390, 844)}


def main() -> None:
    """Write board-<name>.png for every size."""
    names = (os.environ.get("PDEBENCH_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    program = next((p for n in names if n and (p := shutil.which(n))), None)
    if program is None:
        raise SystemExit("screenshots: no Chromium; install one or set PDEBENCH_CHROMIUM")
    page_of = (ROOT / "leaderboards" / "demo" / "index.html").as_uri()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (width, height) in SIZES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme="light"
            )
            page.goto(page_of)
            page.wait_for_selector("figure svg")
            if name == "phone":  # heading and plot are on the desktop's; here the table
                page.evaluate("document.getElementById('table-name').scrollIntoView()")
            page.wait_for_timeout(300)
            page.screenshot(path=ROOT / "docs" / "screenshots" / f"board-{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
