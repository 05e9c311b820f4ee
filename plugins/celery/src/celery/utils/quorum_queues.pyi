"""Made by `make stubs`: where each name is."""

from celeriac_celery.quorum_queues import detect_quorum_queues as detect_quorum_queues
