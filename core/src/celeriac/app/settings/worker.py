"""How a worker runs."""

from __future__ import annotations

from typing import Final

from celeriac.plugin.settings import Setting

SETTINGS: Final = (
    Setting(
        "worker_autoscaler", str, "celeriac.worker.autoscale:Autoscaler", "The class that --autoscale makes one of."
    ),
    Setting(
        "worker_cancel_long_running_tasks_on_connection_loss",
        bool,
        False,
        "End running late-acked tasks when the connection is lost, where the broker then delivers them again.",
    ),
    Setting(
        "worker_agent",
        str,
        None,
        "A class that is called with the connection to the broker, to be started and stopped with the worker.",
    ),
    Setting("worker_concurrency", "any", None, 'How many tasks run at once; None or "auto": one per processor.'),
    Setting("worker_consumer", str, "celeriac.worker.consumer:Consumer", "The class of the consumer."),
    Setting("worker_deduplicate_successful_tasks", bool, False, "Skip a redelivered task that has succeeded."),
    Setting("worker_detect_quorum_queues", bool, True, "Look for quorum queues and set the prefetch accordingly."),
    Setting("worker_direct", bool, False, "Each worker also has a queue of its own."),
    Setting("worker_disable_prefetch", bool, False, "Claim a message only when a process is free to run it."),
    Setting("worker_disable_rate_limits", bool, False, "Ignore rate limits."),
    Setting(
        "worker_enable_prefetch_count_reduction",
        bool,
        True,
        "Accepted for compatibility: what runs counts for the prefetch, also after a lost connection.",
    ),
    Setting("worker_enable_remote_control", bool, True, "Listen to remote control."),
    Setting("worker_enable_soft_shutdown_on_idle", bool, False, "Soft shutdown also waits when nothing runs."),
    Setting(
        "worker_eta_task_limit",
        int,
        None,
        "How many tasks with an ETA are held in memory where the broker does not hold them back; None: 10,000.",
    ),
    Setting("worker_hijack_root_logger", bool, True, "The worker sets up the root logger."),
    Setting(
        "worker_journal_directory",
        str,
        None,
        "The directory, of the worker's user alone, in which it notes what has begun where the broker keeps no trace of"
        ' it; None: ~/.local/state/celeriac/journal, or where XDG_STATE_HOME or CELERIAC_HOME say; "": none.',
    ),
    Setting("worker_log_color", bool, None, "Colour in logs; None: where a terminal reads them."),
    Setting("worker_log_datefmt", str, None, "The format of dates in logs."),
    Setting(
        "worker_log_format",
        str,
        "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s",
        'The format of logs; "json": an object per line.',
    ),
    Setting(
        "worker_lost_wait", "seconds", 10.0, "Accepted for compatibility: the end of a process is seen when it comes."
    ),
    Setting("worker_max_memory_per_child", int, None, "Replace a child that has used more than this many KiB."),
    Setting("worker_max_tasks_per_child", int, None, "Replace a child that has run this many tasks."),
    Setting(
        "worker_pool",
        str,
        "solo",
        "The pool: a plugin's name or module:Class; an installed pool may change the default.",
    ),
    Setting("worker_pool_putlocks", bool, True, "Accepted for compatibility: hand-over is always bounded."),
    Setting("worker_pool_restarts", bool, False, "Allow the control command pool_restart."),
    Setting("worker_pool_start_method", str, "fork", "How children are started: fork or spawn."),
    Setting("worker_prefetch_multiplier", int, 4, "Messages claimed ahead per process; 0: no limit, 1: one at a time."),
    Setting("worker_proc_alive_timeout", "seconds", 4.0, "Seconds until a new child must answer."),
    Setting("worker_redirect_stdouts", bool, True, "What tasks print goes to the log."),
    Setting("worker_redirect_stdouts_level", str, "WARNING", "The level of what tasks print."),
    Setting("worker_send_task_events", bool, False, "Send events about tasks."),
    Setting("worker_soft_shutdown_timeout", "seconds", 0.0, "Seconds that running tasks have before a cold shutdown."),
    Setting("worker_state_db", str, None, "The file in which revoked ids outlive the worker."),
    Setting("worker_task_log_datefmt", str, None, "The format of dates in the logs of tasks."),
    Setting(
        "worker_task_log_format",
        str,
        "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s",
        "The format of the logs of tasks.",
    ),
    Setting(
        "worker_timer_precision", "seconds", 1.0, "Accepted for compatibility: the timer wakes when something is due."
    ),
)
