"""What ``INSTALLED_APPS`` names for tables and admin pages; the rest of the plugin works without."""

from __future__ import annotations

from django.apps import AppConfig  # type: ignore[import-untyped]  # Django has no annotations


class CeleriacConfig(AppConfig):  # type: ignore[misc]  # as above
    """``"celeriac_django"`` in ``INSTALLED_APPS``."""

    name = "celeriac_django"
    label = "celeriac"
    verbose_name = "Celeriac"
    default_auto_field = "django.db.models.BigAutoField"
