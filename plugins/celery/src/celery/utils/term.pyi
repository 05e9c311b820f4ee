"""Made by `make stubs`: where each name is."""

from celeriac_celery.terminal import colored as colored
