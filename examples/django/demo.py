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


#: How Chromium is started: alone, and asking nobody for anything.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDE, NARROW = (1400, 1000), (420, 900)


def take(bakery: Bakery, directory: Path) -> None:
    """Pictures of the pages, by Chromium, logged in as a person would."""
    from selenium import webdriver

    directory.mkdir(parents=True, exist_ok=True)
    settings = webdriver.ChromeOptions()
    for argument in (*FLAGS, f"--user-data-dir={bakery.home / 'chromium'}"):
        settings.add_argument(argument)
    browser = webdriver.Chrome(options=settings, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        Photographer(browser, bakery, directory).take_all()
    finally:
        browser.quit()


class Photographer:
    """Goes through the pages, and takes a picture of each, whole."""

    def __init__(self, browser, bakery: Bakery, directory: Path) -> None:
        self.browser, self.directory = browser, directory
        self.url = f"{bakery.url}/admin/"

    def take_all(self) -> None:
        self.browser.set_window_size(*WIDE)
        self.open("")
        self.fill(username="ada", password="loaf")
        self.click("[type=submit]")
        self.take("index")
        self.schedule("morning", kind="crontab", minute="*/15", hour="5-9", day_of_week="mon-sat")
        self.take("schedule")
        self.click("[name=_run_now]")
        self.schedule("evening", kind="solar", event="sunset", latitude="52.5", longitude="13.4")
        self.click("[name=_save]")
        self.schedule("wrong", kind="crontab", minute="61", timezone="Nowhere/Land")
        self.click("[name=_save]")
        self.take("schedule-wrong")
        self.open("celeriac/scheduledtask/")
        self.take("schedules")
        self.click("#result_list tbody tr:nth-child(2) th a")
        self.take("schedule-configured")
        for name, page in {"results": "", "failures": "?state__exact=FAILURE"}.items():
            self.open(f"celeriac/taskresult/{page}")
            self.take(name)
        self.click("#result_list tbody th a")
        self.take("failure")
        self.browser.set_window_size(*NARROW)
        for name, page in {"results": "taskresult/", "schedules": "scheduledtask/"}.items():
            self.open(f"celeriac/{page}")
            self.take(f"{name}-narrow")
        self.schedule("narrow", kind="interval", every="10", unit="minutes")
        self.take("schedule-narrow")

    def schedule(self, name: str, **fields: str) -> None:
        """Fill the form of a scheduled task, and wait until it shows what comes of it."""
        self.open("celeriac/scheduledtask/add/")
        self.fill(name=name, task="bakery.tasks.count_loaves", **fields)
        shown = ".celeriac-wrong li:nth-child(2)" if name == "wrong" else ".celeriac-runs:not(.celeriac-wrong) li"
        until(lambda: self.find(shown), "the next runs are shown")

    def open(self, page: str) -> None:
        self.browser.get(self.url + page)

    def find(self, selector: str):
        from selenium.webdriver.common.by import By

        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        self.browser.execute_script("arguments[0].click()", self.find(selector)[0])

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            (field,) = self.find(f"[name={name}]")
            if field.tag_name == "select":
                self.choose(field, value)
            else:
                field.clear()
                field.send_keys(value)

    def choose(self, field, value: str) -> None:
        choose = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', {bubbles: true}))"
        self.browser.execute_script(choose, field, value)

    def take(self, name: str) -> None:
        width, _ = self.browser.get_window_size().values()
        tall = self.browser.execute_script("return document.documentElement.scrollHeight")
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": max(tall, 600), "deviceScaleFactor": 1, "mobile": False},
        )
        self.browser.save_screenshot(str(self.directory / f"{name}.png"))
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


if __name__ == "__main__":
    main()
