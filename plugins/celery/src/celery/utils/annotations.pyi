"""Made by `make stubs`: where each name is."""

from celeriac_celery.hints import annotation_is_class as annotation_is_class
from celeriac_celery.hints import annotation_issubclass as annotation_issubclass
from celeriac_celery.hints import get_optional_arg as get_optional_arg
from celeriac_celery.hints import is_none_type as is_none_type
