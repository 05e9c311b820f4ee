"""Tasks in the form of Django itself."""

from django_tasks import task

from shop.models import Order


@task
def count(*, at_least=0):
    found = Order.objects.count()
    if found < at_least:
        raise LookupError(f"only {found}")
    return found


@task(takes_context=True)
async def whoami(context, name):
    return [context.task_result.id, name, context.attempt]
