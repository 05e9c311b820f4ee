"""Made by `make stubs`: where each name is."""

from celeriac.app.queues import Queues as Queues
from celeriac.app.queues import is_missing_queue as is_missing_queue
from celeriac.app.queues import worker_direct as worker_direct
from celeriac_celery.nodenames import anon_nodename as anon_nodename
from celeriac_celery.nodenames import default_nodename as default_nodename
from celeriac_celery.nodenames import host_format as host_format
from celeriac_celery.nodenames import node_format as node_format
from celeriac_celery.nodenames import nodename as nodename
from celeriac_celery.nodenames import nodesplit as nodesplit
from socket import gethostname as gethostname
