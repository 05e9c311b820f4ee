"""Made by `make stubs`: where each name is."""

from celeriac_celery.consumer_steps import DelayedDelivery as DelayedDelivery
from celeriac_celery.consumer_steps import Evloop as Evloop
from celeriac_celery.consumer_steps import dump_body as dump_body
