"""Tasks in the form of Django itself."""

import time

try:
    from django import tasks
    from django.tasks import exceptions, signals
except ImportError:  # before Django 6.0
    import django_tasks as tasks
    from django_tasks import exceptions, signals

from shop.models import Order

#: The package has another name for it than Django.
InvalidTask = getattr(exceptions, "InvalidTask", None) or exceptions.InvalidTaskError
__all__ = ["InvalidTask", "count", "exceptions", "finished", "signals", "tasks", "wait_for_order", "whoami"]


@tasks.task
def count(*, at_least=0):
    found = Order.objects.count()
    if found < at_least:
        raise LookupError(f"only {found}")
    return found


@tasks.task(takes_context=True)
async def whoami(context, name):
    return [context.task_result.id, name, context.attempt]


@tasks.task
def wait_for_order():
    while not Order.objects.exists():
        time.sleep(0.02)


def finished(result, seconds=20):
    """The result, when it has ended."""
    deadline = time.monotonic() + seconds
    while not result.is_finished and time.monotonic() < deadline:
        time.sleep(0.02)
        result.refresh()
    return result
