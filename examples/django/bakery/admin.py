from django.contrib import admin

from bakery.models import Order
from bakery.tasks import bake


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Baked when it is saved, and not a moment before its transaction is committed."""

    list_display = ("__str__", "loaves", "baked_at")

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        bake.delay_on_commit(obj.pk)
