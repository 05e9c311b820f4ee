"""What signing costs: microseconds of a processor per message, by kind of key.

python benchmarks/signing.py             # each step by itself
python benchmarks/signing.py --tasks     # whole tasks, sent, run and answered on SQLite by a worker without a pool
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from celeriac import Celery

BODY = [[1, "two", {"three": 3.0}], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
KINDS: dict[str, Callable[[], Any]] = {
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA 4096": lambda: rsa.generate_private_key(65537, 4096),
    "EC P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


def app_with(key: Any, home: Path, **settings: Any) -> Celery:
    """An app that signs with `key`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    cert = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    pem = serialization.Encoding.PEM
    (home / "cert.pem").write_bytes(cert.public_bytes(pem))
    plain = serialization.NoEncryption()
    (home / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    app = Celery("bench", broker="memory://signing", backend="disabled://", set_as_current=False)
    app.conf.update(
        task_serializer="auth",
        event_serializer="auth",
        result_serializer="auth",
        security_key=str(home / "key.pem"),
        security_certificate=str(home / "cert.pem"),
        security_cert_store=str(home / "cert.pem"),
        **settings,
    )
    app.setup_security()
    return app


def micros(action: Callable[[], Any], seconds: float = 0.5) -> float:
    """The best of five rounds."""
    best = float("inf")
    for _ in range(5):
        count, begun = 0, time.process_time()
        while (taken := time.process_time() - begun) < seconds / 5:
            action()
            count += 1
        best = min(best, taken / count)
    return best * 1e6


def per_task(app: Celery, home: Path, tasks: int = 1_500) -> tuple[float, float]:
    """Microseconds of a processor to send a task, and to run it and store its result."""
    app.conf.update(broker_url=f"sqlite:///{home}/queue.db", result_backend=f"sqlite:///{home}/results.db")
    add = app.task(name="bench.add")(lambda x, y: x + y)
    begun = time.process_time()
    last = [add.delay(1, 2) for _ in range(tasks)][-1]
    sent = time.process_time() - begun
    options = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
    worker = app.Worker(pool="solo", **options)
    thread = threading.Thread(target=worker.start)
    begun = time.process_time()
    thread.start()
    last.get(timeout=300)
    ran = time.process_time() - begun
    worker.stop()
    thread.join()
    return sent / tasks * 1e6, ran / tasks * 1e6


def whole_tasks() -> None:
    """Print a row per kind of key, without and with signed headers."""
    print("| key | send | run |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as home:
        rows = [("none: plain JSON", per_task(Celery("bench", set_as_current=False), Path(home)))]
    for kind, make in KINDS.items():
        for signs_headers in (False, True):
            with tempfile.TemporaryDirectory() as home:
                app = app_with(make(), Path(home), security_sign_headers=signs_headers)
                name = f"{kind}, headers too" if signs_headers else kind
                rows.append((name, per_task(app, Path(home))))
    for name, (sent, ran) in rows:
        print(f"| {name} | {sent:.0f} µs | {ran:.0f} µs |")


def steps() -> None:
    """Print a row per kind of key."""
    print("| key | sign a body | verify a body | sign headers | verify headers |")
    print("|---|---|---|---|---|")
    for kind, make in KINDS.items():
        with tempfile.TemporaryDirectory() as home:
            app = app_with(make(), Path(home), security_sign_headers=True)
            auth = app.serializers.get("auth")
            data = auth.dumps(BODY)
            (layer,) = [each for each in app.plugins.middlewares("publish") if each.name == "auth"]
            message = app.publisher.build("bench.task", [1], {}, "id", {})
            layer.call(message, lambda _: None)
            (check,) = [each for each in app.plugins.middlewares("consume") if each.name == "auth"]
            row = [
                micros(lambda: auth.dumps(BODY)),  # noqa: B023  # called in this round only
                micros(lambda: auth.loads(data)),  # noqa: B023  # as above
                micros(lambda: layer.call(message, lambda _: None)),  # noqa: B023  # as above
                micros(lambda: check.call(message, lambda _: None)),  # noqa: B023  # as above
            ]
            print(f"| {kind} | " + " | ".join(f"{each:.0f} µs" for each in row) + " |")


if __name__ == "__main__":
    whole_tasks() if "--tasks" in sys.argv else steps()
