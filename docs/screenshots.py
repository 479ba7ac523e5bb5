"""Make the README's screenshots: serve the demo city on a data folder of its own, sign in, and look.

.venv/bin/python docs/screenshots.py            (needs what `make test` installs)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
TO = ROOT / "docs" / "screenshots"
PORT = 8791
ADDRESS = f"http://127.0.0.1:{PORT}"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
PASSWORD = "wangge2026"
# name, phone number, path, what to do there, size
SHOTS = [
    ("phone-report", "19900000002", "/report", None, PHONE),
    ("phone-todo", "19900000003", "/todo", None, PHONE),
    ("phone-mine", "19900000001", "/mine", None, PHONE),
    ("phone-issue", "19900000001", "/mine", "first", PHONE),
    ("desk-queue", "19900000005", "/desk", "row", DESK),
    ("desk-city", "19900000007", "/desk?view=all", "row", DESK),
]


def main() -> None:
    """Serve, shoot, stop."""
    with tempfile.TemporaryDirectory(prefix="gg-shots-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        env = os.environ | {"GRIDGOV_VAR": folder, "GRIDGOV_PORT": str(PORT)}
        server = subprocess.Popen(
            [sys.executable, "-m", "gridgov", "run"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL
        )
        try:
            _wait(server)
            _shoot()
        finally:
            server.terminate()
            server.wait(30)


def _shoot() -> None:
    browser_path = (
        os.environ.get("CHROME_BIN") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, phone, path, then, size in SHOTS:
            context = browser.new_context(
                viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai", device_scale_factor=1
            )
            page = context.new_page()
            page.goto(f"{ADDRESS}/login")
            page.locator("input[name=phone]").fill(phone)
            page.locator("input[name=password]").fill(PASSWORD)
            page.locator(
                "form[action*=login] button[type=submit], main form button[type=submit]"
            ).first.click()
            page.wait_for_load_state("networkidle")
            page.goto(ADDRESS + path)
            _then(page, then)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=TO / f"{name}.png", animations="disabled")
            print(TO / f"{name}.png")
            context.close()
        browser.close()


def _then(page: Page, what: str | None) -> None:
    if what:
        page.locator("li.item a").first.click()
        page.wait_for_timeout(800)


def _wait(server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit("the demo did not start")
        try:
            urllib.request.urlopen(f"{ADDRESS}/healthz", timeout=1).read()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the demo does not answer")


main()
