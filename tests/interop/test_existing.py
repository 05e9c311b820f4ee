"""The project of examples/existing is one of Celery's: it runs there, and prints what it prints on ours."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

EXISTING = Path(__file__).parents[2] / "examples" / "existing"
CELERY = os.environ.get("INTEROP_PYTHON")

pytestmark = pytest.mark.skipif(CELERY is None, reason="needs Celery beside Celeriac: run `make interop`")


#: Where the messages are, and what runs the tasks.
WAYS = pytest.mark.parametrize(
    ("run", "pool"), [("redis", "solo"), ("redis", "prefork"), ("rabbitmq", "prefork")], indirect=["run"]
)


@pytest.fixture
def run(request, tmp_path, spawn):
    url = request.getfixturevalue(f"own_{request.param}_url")
    project = shutil.copytree(EXISTING, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = project / "existing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: existing\nVersion: 1.0\n")
    groups = described["entry-points"].items()
    lines = [line for name, offers in groups for line in (f"[{name}]", *(f"{key} = {offers[key]}" for key in offers))]
    (info / "entry_points.txt").write_text("\n".join(lines))

    def run(*words):
        env = {"PYTHONPATH": str(project), "SHOP_BROKER": url, "SHOP_RESULTS": str(tmp_path / "results")}
        return spawn(CELERY, *words, env=env, cwd=project)

    return run


@pytest.mark.timeout(120)
@WAYS
def test_the_shop_is_open_on_celery(run, pool):
    words = ("-A", "shop", "worker", "-P", pool, "-B", "--scheduler", "shop", "--till", "side", "-n", "shop@here")
    worker = run("-m", "celery", *words)
    worker.wait_for_output("shop open: shop@here")
    day = run("-m", "shop.day")
    assert day.wait(80) == 0, day.output()
    assert day.output() == (EXISTING / "day.txt").read_text()
    for line in ("till side open", "doorman of shop@here", "scheduled: listed", "stock: pears", "bell: ann", "audit: "):
        worker.wait_for_output(line)


@WAYS
def test_the_website_is_open_on_celery(run, pool):
    worker = run("-m", "celery", "-A", "website", "worker", "-P", pool, "-c", "2", "-l", "INFO")
    worker.wait_for_output("ready.")
    visit = run("-m", "website.visit")
    assert visit.wait(30) == 0, visit.output()
    assert visit.output() == (EXISTING / "visit.txt").read_text()
