"""How the broker is reached."""

from __future__ import annotations

from typing import Final

from celeriac.plugin.settings import Setting

SETTINGS: Final = (
    Setting(
        "broker_url",
        "any",
        None,
        "The URL of the broker, or a list of URLs to fail over between; its scheme names the plugin.",
    ),
    Setting("broker_read_url", "any", None, "The URL from which workers read, where it differs."),
    Setting("broker_write_url", "any", None, "The URL to which messages are written, where it differs."),
    Setting("broker_transport", str, None, 'The transport, where the URL does not say it: a scheme or "module:Class".'),
    Setting("broker_transport_options", dict, {}, "Options that the transport knows."),
    Setting(
        "broker_channel_error_retry",
        bool,
        True,
        "Reconnect when the broker closes a channel with an error, as for a `consumer_timeout`; off, the worker ends.",
    ),
    Setting(
        "broker_connection_max_retries",
        int,
        100,
        "How often to try to reach the broker before giving up; 0 or None: for ever.",
        optional=True,
    ),
    Setting(
        "broker_connection_retry",
        bool,
        True,
        "Reconnect when the connection is lost; off, the worker ends what runs, and itself.",
    ),
    Setting("broker_connection_retry_on_startup", bool, None, "Also try again when the first connection fails."),
    Setting("broker_connection_timeout", "seconds", 4.0, "Seconds until an attempt to connect is given up."),
    Setting(
        "broker_failover_strategy", "any", None, 'How the next URL is chosen: "round-robin", "shuffle" or an iterator.'
    ),
    Setting(
        "broker_heartbeat", "seconds", 120.0, "Seconds between heartbeats, where the transport has them.", optional=True
    ),
    Setting("broker_heartbeat_checkrate", float, 3.0, "How often per heartbeat the other side is checked."),
    Setting("broker_host", str, None, "The broker's host, where there is no URL."),
    Setting("broker_login_method", str, None, "The mechanism of authentication, where the transport has several."),
    Setting(
        "broker_native_delayed_delivery_queue_type",
        str,
        "quorum",
        "The type of queues that hold messages with an ETA, where the broker has them.",
    ),
    Setting("broker_password", str, None, "The password, where there is no URL.", secret=True),
    Setting("broker_pool_acquire_timeout", "seconds", None, "Seconds to wait for a free connection of the pool."),
    Setting("broker_pool_limit", int, 10, "How many idle connections a process keeps; 0 or None: none.", optional=True),
    Setting("broker_port", int, None, "The broker's port, where there is no URL."),
    Setting("broker_use_ssl", "any", False, "Encrypt the connection: True or a map of options."),
    Setting("broker_user", str, None, "The user, where there is no URL."),
    Setting("broker_vhost", str, None, "The virtual host, where there is no URL."),
)
