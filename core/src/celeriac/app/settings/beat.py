"""What beat reads."""

from __future__ import annotations

from typing import Final

from celeriac.plugin.settings import Setting

SETTINGS: Final = (
    Setting(
        "beat_cron_starting_deadline", int, None, "Seconds that a missed run may be late and still be made up for."
    ),
    Setting("beat_enable_remote_control", bool, False, "Beat answers ping."),
    Setting(
        "beat_max_loop_interval",
        "seconds",
        0.0,
        "The longest sleep between two looks at the schedule; 0: the scheduler's own.",
    ),
    Setting(
        "beat_remote_control_max_tick_age",
        "seconds",
        None,
        "Seconds without a tick after which beat no longer answers ping.",
    ),
    Setting("beat_schedule", dict, {}, "The periodic tasks, by name."),
    Setting("beat_schedule_filename", str, "celerybeat-schedule", "The file of the persistent scheduler."),
    Setting("beat_scheduler", str, "persistent", "The scheduler: a plugin's name or module:Class."),
    Setting("beat_sync_every", int, 0, "Write the schedule's state after this many tasks; 0: by time."),
)
