"""Made by `make stubs`: where each name is."""

from celeriac_celery.functional import chunks as chunks
from celeriac_celery.functional import first as first
from celeriac_celery.functional import firstmethod as firstmethod
from celeriac_celery.functional import fun_accepts_kwargs as fun_accepts_kwargs
from celeriac_celery.functional import head_from_fun as head_from_fun
from celeriac_celery.functional import mattrgetter as mattrgetter
from celeriac_celery.functional import maybe as maybe
from celeriac_celery.functional import mlazy as mlazy
from celeriac_celery.functional import noop as noop
from celeriac_celery.functional import padlist as padlist
from celeriac_celery.functional import regen as regen
from celeriac_celery.functional import uniq as uniq
from kombu.utils.functional import LRUCache as LRUCache
from kombu.utils.functional import dictfilter as dictfilter
from kombu.utils.functional import is_list as is_list
from kombu.utils.functional import lazy as lazy
from kombu.utils.functional import maybe_evaluate as maybe_evaluate
from kombu.utils.functional import maybe_list as maybe_list
from kombu.utils.functional import memoize as memoize
from kombu.utils.functional import retry_over_time as retry_over_time
