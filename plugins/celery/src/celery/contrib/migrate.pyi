"""Made by `make stubs`: where each name is."""

from celeriac_celery.moving import State as State
from celeriac_celery.moving import StopFiltering as StopFiltering
from celeriac_celery.moving import migrate_task as migrate_task
from celeriac_celery.moving import migrate_tasks as migrate_tasks
from celeriac_celery.moving import move as move
from celeriac_celery.moving import move_by_idmap as move_by_idmap
from celeriac_celery.moving import move_by_taskmap as move_by_taskmap
from celeriac_celery.moving import move_direct as move_direct
from celeriac_celery.moving import move_direct_by_id as move_direct_by_id
from celeriac_celery.moving import move_task_by_id as move_task_by_id
from celeriac_celery.moving import republish as republish
from celeriac_celery.moving import start_filter as start_filter
from celeriac_celery.moving import task_id_eq as task_id_eq
from celeriac_celery.moving import task_id_in as task_id_in
