"""Celeriac under Celery's name: what `import celery` finds, and what Celery has besides the names of Celeriac."""

from __future__ import annotations
