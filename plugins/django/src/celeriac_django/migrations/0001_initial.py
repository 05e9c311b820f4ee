# mypy: ignore-errors

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="GroupResult",
            fields=[
                ("group_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("payload", models.BinaryField()),
                ("content_type", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(db_index=True, null=True)),
            ],
            options={
                "verbose_name": "group result",
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="ScheduledTask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True)),
                ("task", models.CharField(max_length=255, verbose_name="task name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("interval", "every so many seconds"),
                            ("crontab", "crontab"),
                            ("solar", "by the sun"),
                            ("once", "once"),
                        ],
                        default="interval",
                        max_length=16,
                    ),
                ),
                (
                    "timing",
                    models.CharField(
                        help_text="every so many seconds: 30; crontab: minute hour day-of-month month day-of-week, such as 0 4 * * mon-fri; by the sun: event latitude longitude, such as sunset 52.5 13.4; once: 2030-01-31T12:00:00+00:00",
                        max_length=255,
                    ),
                ),
                (
                    "timezone",
                    models.CharField(
                        blank=True, help_text="Of the crontab; that of the app where empty.", max_length=64
                    ),
                ),
                ("args", models.JSONField(blank=True, default=list)),
                ("kwargs", models.JSONField(blank=True, default=dict)),
                (
                    "options",
                    models.JSONField(blank=True, default=dict, help_text='As of apply_async: {"queue": "reports"}'),
                ),
                ("enabled", models.BooleanField(default=True)),
                (
                    "relative",
                    models.BooleanField(default=False, help_text="An interval counts from full units of time."),
                ),
                ("run_at_start", models.BooleanField(default=False, help_text="Run it also when beat starts.")),
                (
                    "missed",
                    models.CharField(
                        choices=[("once", "run once"), ("skip", "leave them out"), ("all", "run all")],
                        default="once",
                        help_text="What is done about runs that were missed.",
                        max_length=8,
                    ),
                ),
                ("deadline", models.FloatField(blank=True, help_text="Seconds that a run may be late.", null=True)),
                (
                    "jitter",
                    models.FloatField(
                        default=0.0, help_text="Each run is put off by up to so many seconds, at random."
                    ),
                ),
                ("configured", models.BooleanField(default=False, editable=False)),
                ("changed_at", models.DateTimeField(auto_now=True)),
                ("last_run_at", models.DateTimeField(editable=False, null=True)),
                ("total_run_count", models.PositiveIntegerField(default=0, editable=False)),
                ("sending", models.JSONField(default=list, editable=False)),
                ("sending_since", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "scheduled task",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="TaskResult",
            fields=[
                ("task_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("state", models.CharField(db_index=True, max_length=50)),
                ("task", models.CharField(blank=True, db_index=True, max_length=255, verbose_name="task name")),
                ("worker", models.CharField(blank=True, max_length=255)),
                ("queue", models.CharField(blank=True, max_length=255)),
                ("args", models.TextField(blank=True)),
                ("kwargs", models.TextField(blank=True)),
                ("result", models.TextField(blank=True, verbose_name="result or error")),
                ("traceback", models.TextField(blank=True)),
                ("retries", models.PositiveIntegerField(null=True)),
                ("changed_at", models.DateTimeField(db_index=True)),
                ("expires_at", models.DateTimeField(db_index=True, null=True)),
                ("payload", models.BinaryField()),
                ("content_type", models.CharField(max_length=64)),
                ("stamp", models.BigIntegerField(db_index=True)),
            ],
            options={
                "verbose_name": "task result",
                "ordering": ("-changed_at",),
            },
        ),
    ]
