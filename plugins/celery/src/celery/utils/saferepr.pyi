"""Made by `make stubs`: where each name is."""

from celeriac_celery.objects import Bunch as Bunch
from celeriac_celery.objects import FallbackContext as FallbackContext
from celeriac_celery.objects import getitem_property as getitem_property
from celeriac_celery.objects import mro_lookup as mro_lookup
from celeriac_celery.objects import saferepr as saferepr
