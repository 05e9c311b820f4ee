import click
from celery import Celery
from celery.signals import task_failure, worker_ready
from celery.utils.log import get_task_logger

from shop.steps import Bell, Doorman, Till

logger = get_task_logger(__name__)

app = Celery("shop")
app.config_from_object("shop.celeryconfig")
app.autodiscover_tasks(["shop.orders"])

app.steps["worker"].add(Till)
app.steps["consumer"].add(Doorman)
app.steps["consumer"].add(Bell)
app.user_options["worker"].add(click.Option(("--till",), default="main", help="Which till is open."))


@worker_ready.connect
def opened(sender, **kwargs):
    print(f"shop open: {sender.hostname}", flush=True)


@task_failure.connect
def complain(sender, task_id, exception, **kwargs):
    logger.warning("complaint about %s: %r", sender.name, exception)
