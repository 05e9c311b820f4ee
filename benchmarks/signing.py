"""What signing costs: microseconds of a processor per message, by kind of key.

python benchmarks/signing.py
"""

from __future__ import annotations

import tempfile
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


def main() -> None:
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
    main()
