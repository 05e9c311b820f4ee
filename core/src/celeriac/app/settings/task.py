"""What holds for all tasks."""

from __future__ import annotations

from typing import Final

from celeriac.plugin.settings import Setting

SETTINGS: Final = (
    Setting("task_acks_late", bool, False, "Ack a message when its task has ended, not before it starts."),
    Setting("task_acks_on_failure_or_timeout", bool, True, "Late acks also for tasks that failed or timed out."),
    Setting(
        "task_acks_on_failure",
        bool,
        None,
        "Late acks also for tasks that failed; None: task_acks_on_failure_or_timeout.",
    ),
    Setting(
        "task_acks_on_timeout",
        bool,
        None,
        "Late acks also for tasks that timed out; None: task_acks_on_failure_or_timeout.",
    ),
    Setting(
        "task_allow_error_cb_on_chord_header",
        bool,
        False,
        "An errback of a chord is also that of each task of its header.",
    ),
    Setting("task_always_eager", bool, False, "Run tasks where they are called, without a broker."),
    Setting("task_annotations", "any", None, "Attributes to set on tasks, by name."),
    Setting("task_compression", str, None, "Compress messages."),
    Setting(
        "task_create_missing_queue_exchange_type",
        str,
        None,
        "The type of the exchange of a queue that is made when first named.",
    ),
    Setting("task_create_missing_queue_type", str, "classic", "The type of a queue that is made when first named."),
    Setting(
        "task_create_missing_queues", bool, True, "Queues that task_queues does not name are made when first named."
    ),
    Setting(
        "task_dead_letters",
        "strings",
        ("worker-lost", "delivery-limit", "invalid", "unknown-task"),
        "Why a message that will not be run is kept, in the queue NAME.dlq: its process died too often, it was "
        "delivered too often, it cannot be read, its task is unknown; also: rejected, failure, hard-time-limit (of "
        "late-acked messages that are not acked).",
    ),
    Setting("task_default_delivery_mode", "any", 2, "2: messages survive a restart of the broker; 1: they do not."),
    Setting("task_default_exchange", str, None, "The default exchange; None: named as the default queue."),
    Setting("task_default_exchange_type", str, "direct", "The type of the default exchange."),
    Setting("task_default_priority", int, None, "The priority of messages that have none."),
    Setting("task_default_queue", str, "celery", "The queue of tasks that nothing routes elsewhere."),
    Setting("task_default_queue_type", str, "classic", "The type of the default queue: classic or quorum."),
    Setting("task_default_rate_limit", "any", None, 'The rate limit of tasks that have none, such as "10/s".'),
    Setting("task_default_routing_key", str, None, "The default routing key; None: named as the default queue."),
    Setting("task_eager_propagates", bool, False, "Errors of eagerly run tasks are raised."),
    Setting("task_ignore_result", bool, False, "Results are not stored."),
    Setting("task_inherit_parent_priority", bool, False, "A task that a task calls has its priority."),
    Setting(
        "task_max_deliveries",
        int,
        None,
        "How often a message may be delivered before it is not run again, where the broker counts; None: for ever.",
        minimum=1,
    ),
    Setting(
        "task_max_worker_losses",
        int,
        3,
        "How often a late-acked message may kill the process that runs it before it fails for good; None: for ever.",
        optional=True,
        minimum=1,
    ),
    Setting("task_protocol", int, 2, "The version of messages that are sent: 2 or 1."),
    Setting(
        "task_protocol_compat",
        bool,
        True,
        "Send chains and chords in the form that Celery's workers read too. Off: what follows a task waits in the "
        "result store, if that counts chords, and the messages of a long chain stay short.",
    ),
    Setting("task_publish_retry", bool, True, "Try again when a message cannot be published."),
    Setting(
        "task_publish_retry_policy",
        dict,
        {"max_retries": 3, "interval_start": 0, "interval_max": 1, "interval_step": 0.2},
        "How often, and how many seconds apart.",
    ),
    Setting("task_queue_max_priority", int, None, "The highest priority of queues that say nothing."),
    Setting("task_queues", "any", None, "The queues: kombu.Queue objects, names, or a map of names to options."),
    Setting(
        "task_reject_on_worker_lost",
        bool,
        None,
        "A late-acked message whose worker process died goes back to the queue.",
    ),
    Setting("task_remote_tracebacks", bool, False, "Errors that a result raises show the worker's traceback."),
    Setting("task_repr_maxlevels", int, 3, "How deep arguments are shown in logs and events."),
    Setting("task_retry_on_worker_lost", bool, False, "A task whose worker process died is retried."),
    Setting("task_routes", "any", None, "Task names, globs or functions to queues."),
    Setting("task_send_sent_event", bool, False, "Send an event for each message that is published."),
    Setting("task_serializer", str, "json", "The serializer of task messages."),
    Setting("task_soft_time_limit", "seconds", None, "Seconds after which SoftTimeLimitExceeded is raised in a task."),
    Setting("task_store_eager_result", bool, False, "Results of eagerly run tasks are stored."),
    Setting("task_store_errors_even_if_ignored", bool, False, "Errors are stored where results are not."),
    Setting("task_time_limit", "seconds", None, "Seconds after which the process that runs a task is killed."),
    Setting("task_track_started", bool, False, "Store the state STARTED when a task starts."),
)
