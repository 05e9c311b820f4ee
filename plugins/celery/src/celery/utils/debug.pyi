"""Made by `make stubs`: where each name is."""

from celeriac_celery.measuring import blockdetection as blockdetection
from celeriac_celery.measuring import cry as cry
from celeriac_celery.measuring import humanbytes as humanbytes
from celeriac_celery.measuring import mem_rss as mem_rss
from celeriac_celery.measuring import memdump as memdump
from celeriac_celery.measuring import ps as ps
from celeriac_celery.measuring import sample as sample
from celeriac_celery.measuring import sample_mem as sample_mem
