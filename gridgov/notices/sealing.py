"""Addresses at rest: encrypted, so that a copy of the database gives away nobody's mailbox and no robot's key.

The key comes from GRIDGOV_SEALING_KEY, else from GRIDGOV_SECRET_KEY. What was sealed under another key cannot be read:
its address is then marked, and has to be entered again.
"""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

_secret = b""


class Unreadable(Exception):
    """Sealed under a key that is not the present one."""


def use(secret: str) -> None:
    """Take the key from this secret from now on."""
    global _secret
    _secret = secret.encode()


def seal(text: str) -> bytes:
    """The text, encrypted and authenticated."""
    return _box().encrypt(text.encode())


def unseal(sealed: bytes) -> str:
    """The text. Raises Unreadable for what another key has sealed."""
    try:
        return _box().decrypt(sealed).decode()
    except InvalidToken:
        raise Unreadable from None


def fingerprint(*parts: str) -> bytes:
    """Tells equal addresses from others without being one: a keyed hash."""
    return hmac.new(_key("fingerprint"), "\0".join(parts).encode(), hashlib.sha256).digest()


def _box() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_key("seal")))


def _key(purpose: str) -> bytes:
    if not _secret:
        raise RuntimeError("sealing.use was not called")
    # The secret is long and random (config.py asks for 32 characters), so one keyed hash is derivation enough.
    return hmac.new(_secret, f"gridgov notices {purpose}".encode(), hashlib.sha256).digest()
