from django.db.models import Sum
from django.utils import timezone

from bakery.models import Order
from celeriac import shared_task


@shared_task
def bake(order_id):
    order = Order.objects.get(pk=order_id)
    if order.loaves > 100:
        raise ValueError(f"the oven has no room for {order.loaves} loaves")
    order.baked_at = timezone.now()
    order.save()
    return order.loaves


@shared_task
def count_loaves():
    return Order.objects.filter(baked_at__isnull=False).aggregate(Sum("loaves", default=0))["loaves__sum"]
