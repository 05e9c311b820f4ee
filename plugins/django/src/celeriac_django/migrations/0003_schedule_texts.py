# mypy: ignore-errors


import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("celeriac", "0002_counted_chords"),
    ]

    operations = [
        migrations.AlterField(
            model_name="scheduledtask",
            name="args",
            field=models.JSONField(blank=True, default=list, verbose_name="arguments"),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="configured",
            field=models.BooleanField(default=False, editable=False, verbose_name="in beat_schedule"),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="deadline",
            field=models.FloatField(
                blank=True,
                help_text="Seconds that a run may be late; later ones are left out. Empty: as late as it likes.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0.0)],
            ),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="jitter",
            field=models.FloatField(
                default=0.0,
                help_text="Each run is put off by up to so many seconds, at random.",
                validators=[django.core.validators.MinValueValidator(0.0)],
            ),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="kind",
            field=models.CharField(
                choices=[
                    ("interval", "every so often"),
                    ("crontab", "by a crontab"),
                    ("solar", "by the sun"),
                    ("once", "once"),
                ],
                default="interval",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="kwargs",
            field=models.JSONField(blank=True, default=dict, verbose_name="keyword arguments"),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="missed",
            field=models.CharField(
                choices=[("once", "run once for all of them"), ("skip", "leave them out"), ("all", "run each of them")],
                default="once",
                help_text="Those while no beat ran.",
                max_length=8,
                verbose_name="missed runs",
            ),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="relative",
            field=models.BooleanField(
                default=False,
                help_text="Every 10 minutes is then :00, :10, :20 and so on, whenever beat began.",
                verbose_name="on the full unit",
            ),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="timezone",
            field=models.CharField(
                blank=True,
                help_text="Of the clock, such as Europe/Berlin; that of the app where empty.",
                max_length=64,
                verbose_name="time zone",
            ),
        ),
    ]
