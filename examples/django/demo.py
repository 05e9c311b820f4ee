"""A Django project from nothing to baked bread: migrations, a server, a worker, a beat, orders, what the admin shows.

python demo.py                                   on SQLite, in a directory that goes away again
python demo.py --database postgresql://user@host/name
python demo.py --screenshots DIR                 pages of the admin as Chromium shows them (pip install selenium)
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
SECONDS = 60
console = Console(highlight=False)


class Bakery:
    """The processes of the project, and what can be asked of it over HTTP."""

    def __init__(self, home: Path, database: str | None) -> None:
        self.home = home
        self.env = {**os.environ, "BAKERY_HOME": str(home), "DJANGO_SETTINGS_MODULE": "project.settings"}
        if database:
            self.env["DATABASE"] = database
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def manage(self, *arguments: str, **env: str) -> None:
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=HERE, env={**self.env, **env}, check=True)

    @contextmanager
    def running(self, *argv: str):
        log = self.home / f"{argv[-1].rsplit('.', 1)[-1].replace(':', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *argv], cwd=HERE, env=self.env, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield
            if process.poll() is not None:
                sys.exit(f"{' '.join(argv)} ended by itself:\n{log.read_text()}")
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)

    def get(self, path: str, form: dict[str, str] | None = None) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        with self._browser.open(self.url + path, data, timeout=10) as answer:
            return answer.read().decode()

    def order(self, loaves: int) -> int:
        return json.loads(self.get("/", {"loaves": str(loaves)}))["order"]

    def baked(self) -> set[int]:
        return {order["id"] for order in json.loads(self.get("/"))["orders"] if order["baked_at"]}

    def log_in(self) -> None:
        page = self.get("/admin/login/")
        token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        self.get(
            "/admin/login/", {"csrfmiddlewaretoken": token, "username": "ada", "password": "loaf", "next": "/admin/"}
        )


def until(condition, what: str):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except OSError:  # the server is not there yet
            pass
        time.sleep(0.05)
    sys.exit(f"not within {SECONDS} s: {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", help="a PostgreSQL database of your own, by URL")
    parser.add_argument("--screenshots", type=Path, help="write pictures of the pages there")
    options = parser.parse_args()
    with ExitStack() as stack:
        bakery = Bakery(Path(stack.enter_context(tempfile.TemporaryDirectory())), options.database)
        bakery.manage("migrate", "--verbosity", "0")
        account = ("--noinput", "--username", "ada", "--email", "ada@example.org")
        bakery.manage("createsuperuser", *account, DJANGO_SUPERUSER_PASSWORD="loaf")
        stack.enter_context(bakery.running("manage.py", "runserver", "--noreload", f"127.0.0.1:{bakery.port}"))
        stack.enter_context(bakery.running("-m", "celeriac", "-A", "project", "worker", "-c", "2", "-l", "INFO"))
        stack.enter_context(bakery.running("-m", "celeriac", "-A", "project", "beat", "-l", "INFO"))
        show(bakery, options.screenshots)


def show(bakery: Bakery, screenshots: Path | None) -> None:
    until(lambda: bakery.get("/"), "the server answers")
    orders = {bakery.order(loaves) for loaves in (3, 12, 40)}
    too_many = bakery.order(500)
    until(lambda: bakery.baked() >= orders, "all orders are baked")
    letters = until(lambda: list((bakery.home / "mail").glob("*")), "the failure is mailed")
    bakery.log_in()
    failures = "/admin/celeriac/taskresult/?state__exact=FAILURE"
    until(lambda: "bakery.tasks.bake" in bakery.get(failures), "the admin shows the failure")
    counted = "/admin/celeriac/taskresult/?q=count_loaves&state__exact=SUCCESS"
    until(lambda: "bakery.tasks.count_loaves" in bakery.get(counted), "beat has sent its task")
    if screenshots:
        take(bakery, screenshots)
    table = Table("what", "seen", title="The bakery")
    table.add_row("orders baked", ", ".join(map(str, sorted(bakery.baked()))))
    table.add_row("refused, and shown in the admin", str(too_many))
    table.add_row("mailed to the ADMINS", letters[0].read_text().partition("Subject: ")[2].partition("\n")[0])
    table.add_row("sent by beat", "count-loaves")
    console.print(table)


def take(bakery: Bakery, directory: Path) -> None:
    """Pictures of the pages, by Chromium, logged in as a person would."""
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    directory.mkdir(parents=True, exist_ok=True)
    settings = webdriver.ChromeOptions()
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        settings.add_argument(argument)
    settings.add_argument("--window-size=1400,1000")
    browser = webdriver.Chrome(options=settings, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        browser.get(f"{bakery.url}/admin/")
        browser.find_element(By.NAME, "username").send_keys("ada")
        browser.find_element(By.NAME, "password").send_keys("loaf")
        browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        pages = {"results": "taskresult/", "failures": "taskresult/?state__exact=FAILURE"}
        pages |= {"schedules": "scheduledtask/", "schedule": "scheduledtask/add/"}
        for name, page in pages.items():
            browser.get(f"{bakery.url}/admin/celeriac/{page}")
            browser.save_screenshot(str(directory / f"{name}.png"))
        browser.get(f"{bakery.url}/admin/celeriac/taskresult/?state__exact=FAILURE")
        browser.find_element(By.CSS_SELECTOR, "#result_list tbody th a").click()
        browser.save_screenshot(str(directory / "failure.png"))
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
