"""Made by `make stubs`: where each name is."""

from celeriac_django.task import DjangoTask as DjangoTask
