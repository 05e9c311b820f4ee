"""Which server to connect to: that of the URL, the primary that a Sentinel names, the node that has our keys."""

# Half of redis-py's connections have no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.sentinel import MasterNotFoundError, Sentinel

from celeriac.exceptions import ImproperlyConfigured
from celeriac_redis.address import Address, is_cluster, is_sentinel, parse
from celeriac_redis.connection import new_connection

if TYPE_CHECKING:
    from celeriac_redis.options import LinkOptions

#: What a cluster's keys begin with where nothing is said.
_TAG: Final = "{celeriac}"


class Servers(ABC):
    """The servers of one broker or store; shared by the connections of a process.

    `address` is the one that is used, or will be tried next; `prefix` is what all keys begin with.
    """

    #: How many servers to try before giving up.
    attempts: int = 1

    def __init__(self, addresses: Sequence[Address], prefix: str) -> None:
        self._addresses = list(addresses)
        self.prefix = prefix

    @property
    def address(self) -> Address:
        """The server that is used, or will be tried next."""
        return self._addresses[0]

    @abstractmethod
    def locate(self) -> Address:
        """Where to connect to now.  May ask other servers.  Raises RedisError or OSError."""

    def failed(self, address: Address) -> None:
        """Be told that a server could not be reached, or was lost."""

    def moved(self, host: str, port: int) -> None:
        """Be told by a server which other one has our keys."""


class ListedServers(Servers):
    """Those of the URL, each in turn."""

    def __init__(self, addresses: Sequence[Address], prefix: str) -> None:
        super().__init__(addresses, prefix)
        self.attempts = len(addresses)

    def locate(self) -> Address:
        return self._addresses[0]

    def failed(self, address: Address) -> None:
        first, *rest = self._addresses
        if address is first:  # or else another connection has been told already
            self._addresses = [*rest, first]


class SentinelServers(Servers):
    """The primary of the moment, which any of the Sentinels knows."""

    def __init__(
        self, sentinels: Sequence[Address], prefix: str, master: str, options: LinkOptions, given: Mapping[str, Any]
    ) -> None:
        super().__init__(sentinels, prefix)
        self._sentinels = [(one.host, one.port) for one in sentinels]
        self._master = master
        self._others = int(given.get("min_other_sentinels") or 0)
        self._arguments = {
            "socket_timeout": options.socket_connect_timeout,
            "socket_connect_timeout": options.socket_connect_timeout,
            **(given.get("sentinel_kwargs") or {}),
        }

    def locate(self) -> Address:
        # Made for each question: there are few, and what is not kept cannot be shared with a forked child.
        asked: Any = Sentinel(self._sentinels, self._others, self._arguments)
        try:
            host, port = asked.discover_master(self._master)
        except MasterNotFoundError as error:
            asked_at = ", ".join(f"{host}:{port}" for host, port in self._sentinels)
            raise MasterNotFoundError(
                f"no Sentinel at {asked_at} knows a primary {self._master!r} that is up; check master_name, and"
                f" sentinel_kwargs if they want a password: {error}"
            ) from error
        finally:
            for one in asked.sentinels:
                one.close()
        found = replace(self._addresses[0], host=host, port=port)
        self._addresses = [found]
        return found


class ClusterServers(Servers):
    """The node that has the slot of all our keys."""

    def __init__(self, nodes: Sequence[Address], prefix: str, options: LinkOptions) -> None:
        super().__init__(nodes, tagged(prefix))
        self._options = options
        self._slot = key_slot(self.prefix.encode())
        self._known = list(nodes)
        self._hint: Address | None = None

    def moved(self, host: str, port: int) -> None:
        self._hint = replace(self.address, host=host or self.address.host, port=port)

    def locate(self) -> Address:
        found, self._hint = self._hint, None
        if found is None:
            found = self._ask()
        self._addresses = [found]
        return found

    def _ask(self) -> Address:
        failure: Exception | None = None
        for node in list(self._known):
            try:
                slots = self._slots_of(node)
            except (RedisError, OSError) as error:
                failure = failure or error
                self._known = [*(one for one in self._known if one is not node), node]
                continue
            self._learn(node, slots)
            for first, last, primary, *_ in slots:
                if first <= self._slot <= last:
                    return _node(node, primary)
            failure = RedisError(f"CLUSTERDOWN nobody has slot {self._slot} of the cluster")
        assert failure is not None
        raise failure

    def _slots_of(self, node: Address) -> list[Any]:
        connection = new_connection(node, self._options)
        try:
            connection.connect()
            connection.send_command("CLUSTER", "SLOTS")
            slots: list[Any] = connection.read_response(disable_decoding=True)
        finally:
            connection.disconnect()
        return slots

    def _learn(self, asked: Address, slots: list[Any]) -> None:
        """Know all nodes: those of the URL may be the ones that go."""
        known = {(node.host, node.port) for node in self._known}
        for _, _, *nodes in slots:
            for each in nodes:
                node = _node(asked, each)
                if (node.host, node.port) not in known:
                    known.add((node.host, node.port))
                    self._known.append(node)


def _node(asked: Address, described: Sequence[Any]) -> Address:
    """A node as another describes it; one that does not know its own name is where it was asked."""
    host = (described[0] or b"").decode()
    return replace(asked, host=asked.host if host in {"", "?"} else host, port=int(described[1]))


def tagged(prefix: str) -> str:
    """The prefix with a hash tag: a cluster keeps keys of one tag together, so that a script may use them all."""
    opened = prefix.find("{")
    if opened >= 0 and prefix.find("}", opened) > opened + 1:
        return prefix
    return f"{{{prefix}}}" if prefix else _TAG


def servers_of(
    urls: Sequence[str], options: LinkOptions, given: Mapping[str, Any], prefix: str, ssl: Any = None, **rest: Any
) -> Servers:
    """What the URLs name: servers, the Sentinels of one, or nodes of a cluster.

    `given` are the transport options; `ssl` and `rest` as `parse` takes them.  Raises ImproperlyConfigured.
    """
    addresses = [parse(url, ssl, **rest) for url in urls]
    kinds = {(is_sentinel(url), is_cluster(url)) for url in urls}
    if len(kinds) > 1:
        raise ImproperlyConfigured(
            "the URLs of one list must all name servers, or all Sentinels (sentinel://), or all nodes of a cluster"
            " (redis+cluster://)"
        )
    ((sentinels, cluster),) = kinds
    if sentinels:
        query = dict(parse_qsl(urlsplit(urls[0]).query))
        master = given.get("master_name") or query.get("master_name")
        if not master:
            raise ImproperlyConfigured(
                "sentinel:// needs the name by which the Sentinels know the primary: set master_name in"
                " broker_transport_options and result_backend_transport_options, or write sentinel://...?master_name="
            )
        return SentinelServers(addresses, prefix, str(master), options, given)
    if cluster:
        if any(address.db for address in addresses):
            raise ImproperlyConfigured("a cluster has no databases but 0; use global_keyprefix to share it")
        return ClusterServers(addresses, prefix, options)
    return ListedServers(addresses, prefix)
