"""What the kernel calls."""

from __future__ import annotations

from typing import Any, Final

from celeriac.plugin import hookimpl

_SCHEMES: Final = frozenset({"memory", "cache+memory"})


@hookimpl
def celeriac_configured(app: Any) -> None:
    """Note which memory belongs to this process, before it forks: a child must not take what it finds for its own."""
    conf = app.conf
    brokers = [url for url in (conf.broker_url, conf.broker_read_url, conf.broker_write_url) if _is_ours(url)]
    if not brokers and not _is_ours(conf.result_backend):
        return
    from celeriac_memory.ownership import address_of_url, broker_at, claim, results_at

    for url in brokers:
        claim(broker_at(address_of_url(url)))
    if _is_ours(conf.result_backend):
        claim(results_at(address_of_url(conf.result_backend)))


def _is_ours(url: Any) -> bool:
    return isinstance(url, str) and url.partition("://")[0] in _SCHEMES
