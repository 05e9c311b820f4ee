# mypy: ignore-errors


import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("celeriac", "0003_schedule_texts"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="scheduledtask",
            name="sending",
        ),
        migrations.RemoveField(
            model_name="scheduledtask",
            name="sending_since",
        ),
        migrations.CreateModel(
            name="TakenRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("run_at", models.DateTimeField()),
                ("taken_at", models.DateTimeField(db_index=True)),
                (
                    "scheduled",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="celeriac.scheduledtask"),
                ),
            ],
            options={
                "verbose_name": "taken run",
                "constraints": [
                    models.UniqueConstraint(fields=("scheduled", "run_at"), name="celeriac_a_run_is_taken_once")
                ],
            },
        ),
    ]
