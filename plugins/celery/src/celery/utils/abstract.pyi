"""Made by `make stubs`: where each name is."""

from celeriac_celery.abstract import CallableSignature as CallableSignature
from celeriac_celery.abstract import CallableTask as CallableTask
