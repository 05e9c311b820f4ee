# mypy: ignore-errors


from django.db import migrations, models

import celeriac_django.models.exact


class Migration(migrations.Migration):
    dependencies = [
        ("celeriac", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Admission",
            fields=[
                ("call", celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False)),
                ("token", models.CharField(max_length=255)),
                ("expires_at", models.DateTimeField(db_index=True, null=True)),
            ],
            options={
                "verbose_name": "admission",
            },
        ),
        migrations.CreateModel(
            name="Chord",
            fields=[
                (
                    "group_id",
                    celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False),
                ),
                ("size", models.PositiveIntegerField(null=True)),
                ("extra", models.PositiveIntegerField(default=0)),
                ("parts", models.PositiveIntegerField(default=0)),
                ("body", models.BinaryField(null=True)),
                ("claimed", models.FloatField(null=True)),
                ("done", models.BooleanField(default=False)),
                ("expires_at", models.DateTimeField(db_index=True, null=True)),
            ],
            options={
                "verbose_name": "chord",
            },
        ),
        migrations.CreateModel(
            name="SharedCounter",
            fields=[
                ("name", celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="SharedLock",
            fields=[
                ("name", celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=255)),
                ("token", models.BigIntegerField(default=0)),
                ("until", models.FloatField(default=0.0)),
                ("seconds", models.FloatField(default=0.0)),
            ],
        ),
        migrations.CreateModel(
            name="SharedValue",
            fields=[
                ("key", celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.BinaryField()),
                ("expires", models.FloatField(db_index=True, null=True)),
                ("stamp", models.CharField(max_length=32)),
            ],
        ),
        migrations.AlterField(
            model_name="groupresult",
            name="group_id",
            field=celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name="scheduledtask",
            name="name",
            field=celeriac_django.models.exact.ExactField(max_length=200, unique=True),
        ),
        migrations.AlterField(
            model_name="taskresult",
            name="task_id",
            field=celeriac_django.models.exact.ExactField(max_length=255, primary_key=True, serialize=False),
        ),
        migrations.CreateModel(
            name="ChordPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("group_id", celeriac_django.models.exact.ExactField(max_length=255)),
                ("task_id", celeriac_django.models.exact.ExactField(max_length=255)),
                ("place", models.PositiveIntegerField(null=True)),
                ("state", models.CharField(max_length=50)),
                ("payload", models.BinaryField()),
                ("content_type", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name": "part of a chord",
                "constraints": [
                    models.UniqueConstraint(fields=("group_id", "task_id"), name="celeriac_one_part_of_a_task")
                ],
            },
        ),
        migrations.CreateModel(
            name="SharedMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", celeriac_django.models.exact.ExactField(max_length=255)),
                ("key", celeriac_django.models.exact.ExactField(max_length=255)),
                ("member", models.TextField()),
                ("score", models.FloatField()),
            ],
            options={
                "indexes": [models.Index(fields=["name", "score"], name="celeriac_members_by_score")],
                "constraints": [models.UniqueConstraint(fields=("name", "key"), name="celeriac_one_score_of_a_member")],
            },
        ),
    ]
