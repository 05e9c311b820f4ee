"""What to do about what the server says."""

from __future__ import annotations

from typing import Final

#: What is found in the server's words, and what mends it.
_REMEDIES: Final = (
    (
        "delivery acknowledgement on channel",
        "a message was held for longer than consumer_timeout in rabbitmq.conf allows: raise that beyond the longest "
        "task, countdown and wait in the worker, or lower worker_prefetch_multiplier",
    ),
    ("inequivalent arg", "it is there with other arguments: delete it, or declare it as it is (task_queues)"),
    ("ACCESS_REFUSED", "check the user, the password and the login method, and what the user is permitted to do"),
    ("FRAME_ERROR - a frame of", "what stands between here and the server, or the server, damages what it hands on"),
    ("NOT_ALLOWED", "check the virtual host, and whether the user may use it"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "name the authority that has signed the server's certificate (ssl_ca_certs), and the server as its certificate "
        "does",
    ),
    ("alert certificate required", "the server wants a certificate of yours: ssl_certfile and ssl_keyfile"),
    ("alert unknown ca", "the server does not know who has signed your certificate (ssl_certfile)"),
    ("maximum message size", "raise max_message_size in rabbitmq.conf, or send a reference in place of the data"),
)


def with_remedy(text: str) -> str:
    """The server's words and, where there is one, a remedy."""
    for words, remedy in _REMEDIES:
        if words in text and remedy not in text:
            return f"{text.rstrip('.')}; {remedy}"
    return text
