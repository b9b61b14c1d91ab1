"""Secrets and signatures (Standard Webhooks 1.0, standardwebhooks.com)."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(event_id: str, body: bytes, at: datetime, keys: Sequence[str]) -> dict[str, str]:
    """The three headers, with a signature for each secret: two of them while one is replaced by another."""
    timestamp = str(int(at.timestamp()))
    signed = f"{event_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(_bytes(key), signed, "sha256")).decode() for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _bytes(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX))
