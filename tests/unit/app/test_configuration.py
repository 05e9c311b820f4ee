"""``app.conf``: which layer speaks, what is refused, what is shown, and that all threads see the same."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

import pytest

from celeriac.exceptions import ImproperlyConfigured
from celeriac.plugin import Setting, hookimpl

# -- layers ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def layered(make_app, monkeypatch, tmp_path):
    """An app in which each layer, the strongest first, is called by its name and can be left out."""

    def make(*layers):
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "celeryconfig.py").write_text(
            'task_default_queue = "loader"\n' if "loader" in layers else 'timezone = "UTC"\n'
        )
        monkeypatch.delitem(sys.modules, "celeryconfig", raising=False)
        app = make_app(loader="default")
        if "late default" in layers:
            app.add_defaults(lambda: {"task_default_queue": "default"})
            app.add_defaults({"task_default_queue": "late default"})
        elif "default" in layers:
            app.add_defaults({"task_default_queue": "default"})
        if "source" in layers:
            app.config_from_object({"task_default_queue": "source"})
        if "conf" in layers:
            app.conf.task_default_queue = "conf"
        return app

    yield make
    sys.modules.pop("celeryconfig", None)


@pytest.mark.parametrize(
    ("layers", "who"),
    [
        ((), "celery"),
        (("loader",), "loader"),
        (("loader", "default"), "default"),
        (("loader", "late default"), "default"),
        (("loader", "default", "source"), "source"),
        (("loader", "default", "source", "conf"), "conf"),
        (("default", "conf"), "conf"),
    ],
)
def test_the_strongest_layer_that_says_something_wins(layered, layers, who):
    assert layered(*layers).conf.task_default_queue == who


def test_what_the_constructor_was_given_is_as_strong_as_conf(make_app):
    app = make_app(task_default_queue="mine", changes={"task_serializer": "yaml"}, include=["a", "b"])
    app.config_from_object({"task_default_queue": "theirs", "task_serializer": "json", "include": "c"})
    assert (app.conf.task_default_queue, app.conf.task_serializer) == ("mine", "yaml")
    assert app.conf.include == ("a", "b")


def test_a_setting_can_be_changed_after_it_was_read(app):
    assert app.conf.task_always_eager is False
    app.conf.task_always_eager = True
    assert app.conf.task_always_eager is True
    app.conf.update(task_always_eager=False)
    assert app.conf["task_always_eager"] is False
    app.conf["task_always_eager"] = "yes"
    assert app.conf.task_always_eager is True
    app.config_from_object({"timezone": "Europe/Paris"})
    assert app.conf.timezone == "Europe/Paris"


def test_a_map_that_was_changed_in_place_survives_the_change_of_another_setting(app):
    app.conf.beat_schedule["each-minute"] = {"task": "t", "schedule": 60}
    app.conf.broker_transport_options.update(polling=1)
    app.conf.timezone = "UTC"
    app.conf.update({"task_default_queue": "q"})
    assert set(app.conf.beat_schedule) == {"each-minute"}
    assert app.conf.broker_transport_options == {"polling": 1}


def test_two_apps_share_neither_settings_nor_the_maps_in_their_defaults(make_app):
    one, two = make_app(), make_app()
    one.conf.beat_schedule["mine"] = {}
    one.conf.task_default_queue = "one"
    assert two.conf.beat_schedule == {}
    assert two.conf.task_default_queue == "celery"


def test_setdefault_sets_what_nobody_has_set(make_app):
    app = make_app(task_default_queue="mine")
    assert app.conf.setdefault("task_default_queue", "x") == "mine"
    assert app.conf.setdefault("task_default_routing_key", "rk") == "rk"
    assert app.conf.task_default_routing_key == "rk"


def test_it_is_a_mapping_of_all_settings(app):
    assert "task_serializer" in app.conf
    assert app.conf.get("no_such_thing", 3) == 3
    assert dict(app.conf)["task_serializer"] == "json"
    assert len(list(app.conf)) == len(app.conf) > 100


def test_names_set_are_those_that_somebody_has_set(make_app):
    app = make_app(task_default_queue="mine")
    app.add_defaults({"timezone": "UTC"})
    assert set(app.conf.names_set()) == {"broker_url", "result_backend", "task_default_queue", "timezone"}


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("task_serialiser", "task_serializer"), ("broker_ur", "broker_url"), ("resultbackend", "result_backend")],
)
def test_an_unknown_setting_is_answered_with_the_nearest_name(app, asked, meant):
    message = f"there is no setting '{asked}'; did you mean '{meant}'?"
    with pytest.raises(AttributeError) as by_attribute:
        getattr(app.conf, asked)
    assert str(by_attribute.value) == message
    with pytest.raises(KeyError) as by_key:
        app.conf[asked]
    assert by_key.value.args == (message,)


def test_a_name_that_is_near_nothing_is_only_told_to_be_unknown(app):
    with pytest.raises(AttributeError, match=r"^there is no setting 'qqqq'$"):
        _ = app.conf.qqqq


def test_a_user_may_keep_settings_of_his_own(make_app):
    app = make_app(my_company_region="eu")
    app.conf.my_company_zone = 3
    assert (app.conf.my_company_region, app.conf["my_company_zone"]) == ("eu", 3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("task_always_eager", "perhaps", "the setting task_always_eager must be true or false, not 'perhaps'"),
        ("worker_prefetch_multiplier", "four", "the setting worker_prefetch_multiplier must be an integer, not 'four'"),
        ("task_routes", None, None),
        (
            "result_expires",
            "tomorrow",
            "the setting result_expires must be a number of seconds or a timedelta, not 'tomorrow'",
        ),
        ("accept_content", 7, "the setting accept_content must be a list of strings, not 7"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_when_it_is_read_in_words_that_name_the_setting(app, name, value, message):
    app.conf[name] = value
    if message is None:
        assert app.conf[name] is None
        return
    with pytest.raises(ImproperlyConfigured) as caught:
        _ = app.conf[name]
    assert str(caught.value) == message


def test_values_become_what_their_setting_is(app):
    app.conf.update(
        task_always_eager="true", worker_concurrency="auto", result_expires=timedelta(hours=1), imports="a,b"
    )
    assert app.conf.task_always_eager is True
    assert app.conf.result_expires == 3600.0
    assert app.conf.imports == ("a", "b")


def test_a_secret_is_not_in_the_error_about_it(app):
    app.conf.broker_password = ["hunter2"]
    with pytest.raises(ImproperlyConfigured) as caught:
        _ = app.conf.broker_password
    assert "hunter2" not in str(caught.value)


# -- plugins -----------------------------------------------------------------------------------------------------------


class Shop:
    """A plugin with settings that acts when the configuration is read."""

    def __init__(self):
        self.told = []

    @hookimpl
    def celeriac_settings(self):
        return [
            Setting("shop_limit", int, 5, "How many."),
            Setting("shop_key", str, "k3y", "Opens the shop.", secret=True),
        ]

    @hookimpl
    def celeriac_configured(self, app):
        self.told.append(app.conf.task_default_queue)
        app.conf.setdefault("task_default_routing_key", "shop")


def test_settings_of_a_plugin_are_settings_like_any_other(make_app):
    app = make_app(shop_limit="7")
    app.plugins.register(Shop())
    assert app.conf.shop_limit == 7
    assert app.conf.shop_key == "k3y"
    with pytest.raises(AttributeError, match="did you mean 'shop_limit'"):
        _ = app.conf.shop_limits


def test_a_plugin_acts_on_the_configuration_once_before_anybody_has_read_it(make_app):
    app = make_app(task_default_queue="q")
    shop = Shop()
    app.plugins.register(shop)
    assert app.conf.task_default_routing_key == "shop"
    assert app.conf.task_default_routing_key == "shop"
    assert shop.told == ["q"]


def test_the_events_of_configuration_come_in_order_and_once(app):
    order = []
    app.on_configure.connect(lambda **_: order.append("before"), weak=False)
    app.on_after_configure.connect(lambda source, **_: order.append(source.task_serializer), weak=False)
    assert not app.configured
    _ = app.conf.task_serializer
    _ = app.conf.timezone
    assert app.configured
    assert order == ["before", "json"]


def test_an_app_whose_configuration_failed_is_not_half_configured_at_the_next_read(app):
    class Broken:
        @hookimpl
        def celeriac_configured(self, app):
            raise LookupError("no licence")

    app.plugins.register(Broken())
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match="no licence"):
            _ = app.conf.task_serializer


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_not_shown_at_any_depth(make_app):
    app = make_app(
        broker="redis://user:hunter2@host/0;sentinel://:hunter2@other",
        broker_password="hunter2",
        broker_read_url=["amqp://u:hunter2@a//", "amqp://b//"],
        broker_transport_options={
            "sentinel_kwargs": {"password": "hunter2"},
            "urls": [{"url": "redis://:hunter2@c"}],
            "polling": 1,
            "global_keyprefix": "shown",
        },
        broker_use_ssl={"ssl_keyfile": "/etc/key.pem", "ssl_keyfile_password": "hunter2"},
        result_backend_transport_options={"aws_secret_access_key": b"hunter2", "token": ""},
    )
    app.plugins.register(Shop())
    shown = app.conf.shown()
    assert "hunter2" not in repr(shown)
    assert shown["broker_url"] == "redis://user:**@host/0;sentinel://:**@other"
    assert shown["broker_password"] == "**"
    assert shown["broker_transport_options"]["polling"] == 1
    assert shown["broker_transport_options"]["global_keyprefix"] == "shown"
    assert shown["broker_use_ssl"]["ssl_keyfile"] == "/etc/key.pem"
    assert "shop_key" not in shown
    assert app.conf.shown(with_defaults=True)["shop_key"] == "**"
    assert "hunter2" not in repr(app.conf)


# -- threads -----------------------------------------------------------------------------------------------------------


def test_a_thread_that_reads_while_another_configures_waits_for_it(app):
    begun, finish = threading.Event(), threading.Event()

    @app.on_configure.connect(weak=False)
    def slowly(**_):
        begun.set()
        assert finish.wait(10)
        app.conf.task_default_queue = "decided"

    seen = []
    readers = [threading.Thread(target=lambda: seen.append(app.conf.task_default_queue)) for _ in range(4)]
    readers[0].start()
    assert begun.wait(10)
    for reader in readers[1:]:
        reader.start()
    finish.set()
    for reader in readers:
        reader.join(10)
    assert seen == ["decided"] * 4


def test_what_many_threads_write_and_read_is_what_was_written_last(app):
    def write(number):
        for _ in range(300):
            app.conf.update({"worker_concurrency": number, f"own_{number}": number})
            assert app.conf.worker_concurrency in range(4)
            assert app.conf[f"own_{number}"] == number

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    failures = []
    previous, threading.excepthook = threading.excepthook, lambda args: failures.append(args.exc_value)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        threading.excepthook = previous
        sys.setswitchinterval(switch)
    assert failures == []
    app.conf.worker_concurrency = 9
    assert app.conf.worker_concurrency == 9


def test_a_layer_that_asks_for_settings_itself_finds_the_other_layers(app):
    app.add_defaults(lambda: {"task_default_routing_key": app.conf.task_default_queue + ".key"})
    app.add_defaults({"task_default_queue": "weaker"})
    assert app.conf.task_default_routing_key == "weaker.key"


def test_a_layer_is_asked_once_by_however_many_threads(app):
    _ = app.conf.timezone
    asked = []
    again = threading.Event()
    barrier = threading.Barrier(4)

    def layer():
        asked.append(threading.get_ident())
        if len(asked) > 1:
            again.set()
        again.wait(0.2)  # long enough for another thread to come by, if one could
        return {"timezone": "Europe/Paris"}

    app.add_defaults(layer)
    seen = []

    def read():
        barrier.wait(10)
        seen.append(app.conf.timezone)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == ["Europe/Paris"] * 4
    assert len(asked) == 1


# -- what looks like a mistake -----------------------------------------------------------------------------------------


def test_one_setting_under_two_names_with_two_values_is_refused(app):
    app.config_from_object({"task_always_eager": True, "CELERY_ALWAYS_EAGER": False})
    with pytest.raises(ImproperlyConfigured, match="task_always_eager and CELERY_ALWAYS_EAGER are two names of one"):
        _ = app.conf.task_always_eager


def test_old_and_new_names_may_stand_side_by_side_where_they_agree(app):
    app.config_from_object({"task_always_eager": True, "CELERY_ALWAYS_EAGER": True, "BROKER_POOL_LIMIT": 3})
    assert app.conf.task_always_eager is True
    assert app.conf.broker_pool_limit == 3


def test_a_misspelt_setting_is_told_of_and_a_name_of_the_users_own_is_not(make_app):
    app = make_app(my_company_region="eu", worker_concurency=3)
    app.config_from_object({"task_serialiser": "json", "timezon": "UTC", "timedelta": timedelta, "sys": sys})
    assert app.conf.unknown() == [
        "there is no setting 'task_serialiser'; did you mean 'task_serializer'?",
        "there is no setting 'timezon'; did you mean 'timezone'?",
        "there is no setting 'worker_concurency'; did you mean 'worker_concurrency'?",
    ]


def test_a_worker_warns_of_misspelt_settings_at_its_start(make_app, caplog):
    make_app(worker_concurency=3).Worker(pool="solo")
    assert "there is no setting 'worker_concurency'; did you mean 'worker_concurrency'?" in caplog.text
