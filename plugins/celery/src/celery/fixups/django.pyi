"""Made by `make stubs`: where each name is."""

from celeriac_celery.django_fixup import fixup as fixup
from celeriac_django.fixup import DjangoFixup as DjangoFixup
