"""The life of an app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac.plugin.markers import hookspec

if TYPE_CHECKING:
    from celeriac.contracts import Fixup
    from celeriac.plugin.settings import Setting


@hookspec(historic=True)
def celeriac_app_created(app: Any) -> None:
    """Tells that an app exists and its plugins are loaded; its configuration is not read yet.

    - Called: once per app, in the process and thread that first needs a plugin of it. A plugin registered later is
      told at once.
    - For: plugins that prepare the app before its configuration is read, or that note that it exists.
    - Parameters: `app` is the app. Reading `app.conf` here would read the configuration too early: don't.
    - Returns: nothing.
    - Default: nothing happens.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_app_created(app):
        app.config_from_object("django.conf:settings", namespace="CELERY")
    ```
    """


@hookspec
def celeriac_settings() -> Iterable[Setting]:
    """Adds settings: each becomes `app.conf.<name>`, is converted and validated, and is known to the reference page.

    - Called: once per app, when a setting is first read that is not the kernel's, in any thread.
    - For: every plugin with something to configure. Two plugins that define one name are an error naming both.
    - Parameters: none.
    - Returns: the settings, each with name, type, default and one sentence of documentation. Start the names with
      the plugin's own.
    - Default: no settings.
    - Results: all are joined.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_settings():
        yield Setting("prometheus_address", str, "", "Where the worker serves its metrics; empty: nowhere.")
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec(historic=True)
def celeriac_configured(app: Any) -> None:
    """Tells that the configuration of an app is complete; the last chance to set what nobody has set.

    - Called: once per app, after its configuration was read and before anything uses it, in the thread that needs it
      first. A plugin registered later is told at once.
    - For: plugins with defaults that depend on other settings.
    - Parameters: `app` is the app; `app.conf` may be read and written.
    - Returns: nothing. Raise `ImproperlyConfigured` for a combination of settings that cannot work.
    - Default: nothing happens.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_configured(app):
        if not app.conf.broker_url:
            app.conf.broker_url = "sqlite://"
    ```
    """


@hookspec(historic=True)
def celeriac_finalized(app: Any) -> None:
    """Tells that the tasks of an app are known: decorators have been evaluated, built-in tasks are there.

    - Called: once per app, at its finalization, in the thread that causes it. A worker has imported its task modules
      by then. A plugin registered later is told at once.
    - For: plugins that look at `app.tasks`.
    - Parameters: `app` is the app.
    - Returns: nothing.
    - Default: nothing happens.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_finalized(app):
        for name in app.tasks:
            counter.labels(task=name)
    ```
    """


@hookspec
def celeriac_fixups(app: Any) -> Iterable[Fixup]:
    """Integrates a framework into an app.

    - Called: once per app, after `celeriac_app_created`, in the same process and thread.
    - For: plugins for frameworks. Return nothing where the framework is not in use: importing it to find out is too
      much, looking at its environment variable or `sys.modules` is right.
    - Parameters: `app` is the app.
    - Returns: the fixups; the kernel calls `install()` on each.
    - Default: no fixups.
    - Results: all are used, in the order of the plugins.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_fixups(app):
        if "DJANGO_SETTINGS_MODULE" in os.environ:
            from celeriac_django.fixup import DjangoFixup

            return [DjangoFixup(app)]
        return []
    ```
    """
    raise NotImplementedError  # pragma: no cover
