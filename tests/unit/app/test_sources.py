"""``config_from_object`` and its siblings: objects, modules, attributes, prefixes; read when needed, once."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from celeriac.exceptions import ImproperlyConfigured


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return ``module(name, text)``: a module that can be imported until the test ends; dots make packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name, text):
        path = tmp_path.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(tmp_path).parents:
            if parent.name:
                (tmp_path / parent / "__init__.py").touch()
        path.with_suffix(".py").write_text(text)
        return name

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


class Config:
    task_default_queue = "from a class"
    _private = "not looked at"


@pytest.mark.covers("app.base.Celery.config_from_object", "app.base.Celery.conf")
@pytest.mark.parametrize(
    ("source", "queue"),
    [
        (Config, "from a class"),
        (Config(), "from a class"),
        (SimpleNamespace(task_default_queue="from an object"), "from an object"),
        ({"task_default_queue": "from a map"}, "from a map"),
    ],
)
def test_an_object_or_a_map_configures(app, source, queue):
    app.config_from_object(source)
    assert app.conf.task_default_queue == queue


@pytest.mark.parametrize(
    "path", ["shop.config", "shop.settings.Production", "shop.settings:Production", "shop.settings:nested.inner"]
)
def test_a_dotted_name_leads_to_a_module_or_an_attribute(app, module, path):
    module("shop.config", "task_default_queue = 'found'")
    module(
        "shop.settings",
        "from types import SimpleNamespace as N\n"
        "class Production: task_default_queue = 'found'\n"
        "nested = N(inner={'task_default_queue': 'found'})\n",
    )
    app.config_from_object(path)
    assert app.conf.task_default_queue == "found"


def test_it_is_read_when_the_first_setting_is_and_not_again(app, module):
    module("counting", "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\ntask_default_queue = 'q'\n")
    sys.counted = 0
    try:
        app.config_from_object("counting")
        assert "counting" not in sys.modules
        assert app.conf.task_default_queue == "q"
        assert app.conf.timezone is None
        assert sys.counted == 1
    finally:
        del sys.counted


@pytest.mark.covers("app.base.Celery.config_from_object")
def test_force_reads_it_now(app, module):
    module("forced", "task_default_queue = 'q'")
    app.config_from_object("forced", force=True)
    assert "forced" in sys.modules
    with pytest.raises(ImproperlyConfigured):
        app.config_from_object("not_there_at_all", force=True)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("not_there_at_all", "No module named 'not_there_at_all'"),
        ("half.missing", "module 'half' has no attribute 'missing'"),
        ("half:missing", "module 'half' has no attribute 'missing'"),
        ("half.needy", "No module named 'a_library_that_is_missing'"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_error_at_each_read_that_says_what_is_missing(app, module, path, reason):
    module("half.needy", "import a_library_that_is_missing")
    app.config_from_object(path)
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured) as caught:
            _ = app.conf.task_default_queue
        assert f"the configuration {path!r} cannot be imported: {reason}" in str(caught.value)


def test_silent_passes_over_what_is_missing(app):
    app.config_from_object("not_there_at_all", silent=True)
    assert app.conf.task_default_queue == "celery"


def test_an_error_inside_a_module_is_not_silenced(app, module):
    module("broken", "1 / 0")
    app.config_from_object("broken", silent=True)
    with pytest.raises(ZeroDivisionError):
        _ = app.conf.task_default_queue


DJANGO = SimpleNamespace(
    CELERY_TASK_DEFAULT_QUEUE="prefixed",
    CELERY_TASK_ALWAYS_EAGER=True,
    TASK_DEFAULT_QUEUE="not prefixed",
    task_default_queue="not prefixed",
    celery_timezone="Europe/Paris",
)


@pytest.mark.covers("app.base.Celery.config_from_object")
@pytest.mark.parametrize("namespace", ["CELERY", "celery", "CELERY_"])
def test_with_a_namespace_only_prefixed_names_count_in_any_case(app, namespace):
    app.config_from_object(DJANGO, namespace=namespace)
    assert app.conf.task_default_queue == "prefixed"
    assert app.conf.task_always_eager is True
    assert app.conf.timezone == "Europe/Paris"


def test_the_namespace_of_the_app_is_that_of_its_configuration(make_app):
    app = make_app(namespace="CELERY", config_source=DJANGO)
    assert app.conf.task_default_queue == "prefixed"


def test_a_property_that_has_nothing_to_do_with_us_is_not_touched(app):
    class Settings:
        CELERY_TIMEZONE = "UTC"

        @property
        def DATABASES(self):  # as Django calls it
            raise AssertionError("touched")

    app.config_from_object(Settings(), namespace="CELERY")
    assert app.conf.timezone == "UTC"


@pytest.mark.covers("app.base.Celery.config_from_envvar")
def test_an_environment_variable_may_name_the_module(app, module, monkeypatch):
    module("named_by_env", "task_default_queue = 'env'")
    monkeypatch.setenv("SHOP_CONFIG", "named_by_env")
    assert app.config_from_envvar("SHOP_CONFIG") is True
    assert app.conf.task_default_queue == "env"


def test_an_environment_variable_that_is_unset_is_an_error_unless_silent(app):
    with pytest.raises(ImproperlyConfigured, match="the environment variable SHOP_CONFIG does not name"):
        app.config_from_envvar("SHOP_CONFIG")
    assert app.config_from_envvar("SHOP_CONFIG", silent=True) is False


def test_a_later_configuration_object_takes_the_place_of_the_earlier(app):
    app.config_from_object({"task_default_queue": "first", "timezone": "UTC"})
    assert app.conf.timezone == "UTC"
    app.config_from_object({"task_default_queue": "second"})
    assert app.conf.task_default_queue == "second"
    assert app.conf.timezone is None


def test_the_default_loader_reads_the_module_that_the_environment_names(make_app, module, monkeypatch):
    module("own_celeryconfig", "task_default_queue = 'loaded'")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "own_celeryconfig")
    assert make_app(loader="default").conf.task_default_queue == "loaded"
    assert make_app(loader="app").conf.task_default_queue == "celery"


@pytest.mark.covers("app.base.Celery.add_defaults")
def test_defaults_may_be_given_as_a_decorated_function(app):
    @app.add_defaults
    def defaults():
        return {"task_default_queue": "from a function"}

    assert app.conf.task_default_queue == "from a function"
    assert defaults() == {"task_default_queue": "from a function"}
