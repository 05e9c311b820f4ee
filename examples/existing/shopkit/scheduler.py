from celery.beat import ScheduleEntry, Scheduler


class ListedEntry(ScheduleEntry):
    """An entry that knows how often it ran under another name as well."""

    @property
    def runs(self):
        return self.total_run_count


class ListedScheduler(Scheduler):
    """Keeps the schedule of the settings, and adds an entry of its own."""

    Entry = ListedEntry

    def setup_schedule(self):
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)
        self.update_from_dict(
            {"listed": {"task": "shop.orders.tasks.count_stock", "schedule": 0.5, "args": ("pears",)}}
        )

    def apply_entry(self, entry, producer=None):
        print(f"scheduled: {entry.name}", flush=True)
        return super().apply_entry(entry, producer=producer)

    @property
    def info(self):
        return "    . listed -> the settings"
