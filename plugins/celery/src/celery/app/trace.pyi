"""Made by `make stubs`: where each name is."""

from celeriac_celery.tracing import TraceInfo as TraceInfo
from celeriac_celery.tracing import build_tracer as build_tracer
from celeriac_celery.tracing import reset_worker_optimizations as reset_worker_optimizations
from celeriac_celery.tracing import setup_worker_optimizations as setup_worker_optimizations
from celeriac_celery.tracing import task_has_custom as task_has_custom
from celeriac_celery.tracing import trace_ok_t as trace_ok_t
from celeriac_celery.tracing import trace_task as trace_task
