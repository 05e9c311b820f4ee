"""A project that was written for Celery runs without a changed line: examples/existing."""

from __future__ import annotations

import pytest

#: Where the messages are, and what runs the tasks.
WAYS = pytest.mark.parametrize(
    ("broker", "pool"), [("sqlite", "solo"), ("redis", "prefork"), ("rabbitmq", "prefork")], indirect=["broker"]
)


@pytest.fixture
def broker(request, tmp_path):
    """Return the URL of a broker that no other test uses: the project's queues have names of its own choice."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'queue.db'}"
    return request.getfixturevalue(f"own_{request.param}_url")


@pytest.mark.timeout(120)
@WAYS
def test_the_shop_runs_as_on_celery(run, broker, pool, project):
    # Given a worker with the shop's own option, steps, scheduler, result backend and serializer
    words = ("-A", "shop", "worker", "-P", pool, "-B", "--scheduler", "shop", "--till", "side", "-n", "shop@here")
    worker = run(broker, "celery", *words)
    worker.wait_for_output("shop open: shop@here")

    # When somebody spends a day there
    day = run(broker, "python", "-m", "shop.day")

    # Then it goes as it goes on Celery
    assert day.wait(80) == 0, day.output()
    assert day.output() == (project / "day.txt").read_text()
    for line in (
        "till side open",
        "doorman of shop@here at the door",
        "audit: shop.orders.tasks.order failed with SoldOut",
        "complaint about shop.orders.tasks.order: SoldOut('melons')",
        "scheduled: listed",
        "stock: pears",
        "stock: apples",
        "bell: ann",
    ):
        worker.wait_for_output(line)
    worker.signal(15)
    assert worker.wait() == 0
    assert "till side closed" in worker.output()


@WAYS
def test_the_website_of_django_runs_as_on_celery(run, broker, pool, project):
    worker = run(broker, "celery", "-A", "website", "worker", "-P", pool, "-c", "2", "-l", "INFO")
    worker.wait_for_output("ready.")
    visit = run(broker, "python", "-m", "website.visit")
    assert visit.wait(30) == 0, visit.output()
    assert visit.output() == (project / "visit.txt").read_text()


@pytest.mark.parametrize("broker", ["sqlite"], indirect=True)
def test_the_command_of_an_extension_is_one_of_ours(run, broker):
    hours = run(broker, "celery", "-A", "shop", "opening-hours")
    assert hours.wait(30) == 0, hours.output()
    assert hours.output() == "shop: nine to five, Europe/Amsterdam\n"
    listed = run(broker, "celery", "--help")
    assert listed.wait(30) == 0
    assert "Say when the shop is open." in listed.output()
