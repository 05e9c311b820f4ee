"""Tasks in the form of Django itself."""

import time

try:
    from django import tasks
    from django.tasks import exceptions, signals
except ImportError:  # before Django 6.0
    import django_tasks as tasks
    from django_tasks import exceptions, signals

from celeriac_django.task_backend import CeleriacBackend
from shop.models import Order

#: The package has another name for it than Django.
InvalidTask = getattr(exceptions, "InvalidTask", None) or exceptions.InvalidTaskError
__all__ = ["InvalidTask", "count", "exceptions", "finished", "give_what_no_store_takes", "signals", "tasks"]
__all__ += ["wait_for_order", "whoami"]


class Shouting(CeleriacBackend):
    """A backend of the project's own."""

    def enqueue(self, task, args, kwargs):
        return super().enqueue(task, [str(each).upper() for each in args], kwargs)


@tasks.task
def count(*, at_least=0):
    found = Order.objects.count()
    if found < at_least:
        raise LookupError(f"only {found}")
    return found


@tasks.task
def give_what_no_store_takes():
    return object()


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
