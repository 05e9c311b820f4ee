"""Made by `make stubs`: where each name is."""

from celeriac_celery.collections import AttributeDict as AttributeDict
from celeriac_celery.collections import AttributeDictMixin as AttributeDictMixin
from celeriac_celery.collections import ConfigurationView as ConfigurationView
from celeriac_celery.collections import DictAttribute as DictAttribute
from celeriac_celery.collections import LimitedSet as LimitedSet
from celeriac_celery.collections import force_mapping as force_mapping
from celeriac_celery.collections import lpmerge as lpmerge
from collections import ChainMap as ChainMap
from collections import OrderedDict as OrderedDict
