"""Made by `make stubs`: where each name is."""

from celeriac_celery.backend_names import by_name as by_name
from celeriac_celery.backend_names import by_url as by_url
