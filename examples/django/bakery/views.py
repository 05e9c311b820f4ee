from django.db import transaction
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt

from bakery.models import Order
from bakery.tasks import bake


@csrf_exempt
@transaction.atomic
def orders(request):
    """POST loaves=3 orders them; GET lists what there is."""
    if request.method == "POST":
        order = Order.objects.create(loaves=int(request.POST["loaves"]))
        bake.delay_on_commit(order.pk)
        return JsonResponse({"order": order.pk})
    return JsonResponse({"orders": list(Order.objects.values("id", "loaves", "baked_at"))})
