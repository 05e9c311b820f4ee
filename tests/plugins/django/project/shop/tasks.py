import os

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import connection

from celeriac import shared_task
from shop.apps import ShopConfig
from shop.cache import CountingCache
from shop.models import Order


@shared_task
def ship(order_id):
    return Order.objects.filter(pk=order_id, shipped=False).update(shipped=True)


@shared_task
def look_at_connection():
    """What was open when the task began; afterwards the connection is open."""
    before = connection.connection
    connection.ensure_connection()
    return {
        "pid": os.getpid(),
        "was_open": before is not None,
        "id": id(connection.connection),
        "is_inherited": connection.connection is ShopConfig.inherited,
        "parent_had_one": ShopConfig.inherited is not None,
    }


@shared_task
def use_cache():
    cache.set("key", "value")
    return CountingCache.closed


@shared_task
def break_transaction():
    connection.set_autocommit(False)
    Order.objects.create(name="never committed")


@shared_task
def restock():
    Order.objects.create(name="restocked")


@shared_task
def refuse(reason):
    raise ValueError(reason)


@shared_task
async def count_later():
    """What a coroutine sees of the database, and how many connections its thread has open before it."""
    before = await sync_to_async(lambda: connection.connection is not None)()
    return [await Order.objects.acount(), before]
