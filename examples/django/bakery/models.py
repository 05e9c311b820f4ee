from django.db import models


class Order(models.Model):
    """Loaves that somebody wants."""

    loaves = models.PositiveIntegerField()
    baked_at = models.DateTimeField(null=True, editable=False)

    def __str__(self):
        return f"order {self.pk} of {self.loaves}"
