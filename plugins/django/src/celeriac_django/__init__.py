"""The integration of Django: active where ``DJANGO_SETTINGS_MODULE`` is set, and nowhere else."""

from __future__ import annotations
