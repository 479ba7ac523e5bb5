"""Passwords and random tokens. argon2id, 19 MiB, two passes, one lane (OWASP's second choice), by
configuration.

Hashing is what costs most here, in CPU and memory, so only a few run at once in a process; the rest wait a
little and are then told to come back, rather than all of them starving everybody else.
"""

import hashlib
import secrets
import threading
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gridgov.config import Config
from gridgov.errors import Invalid, Unavailable
from gridgov.i18n import _

AT_ONCE = 2
WAIT_S = 5.0
MIN_LENGTH = 8
MAX_LENGTH = 128
# The shortest list that stops the first guesses anybody makes here; lockout and rate limits stop the rest.
COMMON = frozenset(
    """
    12345678 123456789 1234567890 11111111 88888888 66666666 00000000 87654321 password
    password1 passw0rd qwertyui qwerty123 1qaz2wsx abc12345 abcd1234 a1234567 a12345678
    aa123456 aaaaaaaa iloveyou woaini520 woaini1314 5201314520 13145201314 admin123 admin888
    administrator asdfghjkl zxcvbnm123 11223344 12341234 147258369 123123123 123321123
    q1w2e3r4 1q2w3e4r wugang123 430581430581
    """.split()
)


class Passwords:
    """Hashes and checks passwords with given costs."""

    def __init__(self, memory_kib: int = 19_456, time_cost: int = 2, *, at_once: int = AT_ONCE) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._turn = threading.BoundedSemaphore(at_once)

    def hash(self, password: str) -> str:
        """The string to keep for a password. Raises Unavailable when too many are being hashed already."""
        with self._my_turn():
            return self._hasher.hash(password)

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether the password belongs to what was kept. Takes as long when nothing was kept, and is then
        False.
        """
        against = (
            kept or self._nobody
        )  # Reading it first makes the very first attempt no slower for one than the other.
        with self._my_turn():
            try:
                return self._hasher.verify(against, password) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, kept: str) -> bool:
        """Whether what was kept was made with other costs than today's."""
        return self._hasher.check_needs_rehash(kept)

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))

    def _my_turn(self) -> "_Turn":
        return _Turn(self._turn)


class _Turn:
    """Holds the semaphore for one hash; gives up after WAIT_S."""

    def __init__(self, semaphore: threading.BoundedSemaphore) -> None:
        self._semaphore = semaphore

    def __enter__(self) -> None:
        if not self._semaphore.acquire(timeout=WAIT_S):
            raise Unavailable(
                _("Very many people are signing in. Please try again in a moment."), retry_after_s=5
            )

    def __exit__(self, *_error: object) -> None:
        self._semaphore.release()


passwords = Passwords()


def configure(config: Config) -> None:
    """Use the costs of this configuration from now on. Passwords kept with others are renewed at the next
    sign-in.
    """
    global passwords
    passwords = Passwords(config.argon2_memory_kib, config.argon2_time_cost)


def hash_password(password: str) -> str:
    """Hash with the costs in use, without asking whether the password is any good."""
    return passwords.hash(password)


def check_password(password: str, *, phone: str, field: str = "password") -> None:
    """Refuse a password that would be guessed first. Raises Invalid for `field`.

    Length counts, not kinds of characters (NIST SP 800-63B, ASVS 5.0 6.2): at least 8, not common, not the
    phone number.
    """
    if len(password) < MIN_LENGTH:
        raise Invalid(_("At least %(least)s characters.", least=MIN_LENGTH), field=field)
    if len(password) > MAX_LENGTH:
        raise Invalid(_("At most %(most)s characters.", most=MAX_LENGTH), field=field)
    if phone in password or password in phone:
        raise Invalid(_("Your phone number is the first thing anybody would try."), field=field)
    if password.lower() in COMMON or len(set(password)) < 3:
        raise Invalid(_("This password is too easy to guess."), field=field)


def new_token(prefix: str = "") -> str:
    """256 random bits for a cookie or a header, with a prefix by which people and scanners know what they
    found.
    """
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is kept of a token. It is random, so a plain hash is enough and quick enough for every request."""
    return hashlib.sha256(token.encode()).digest()
