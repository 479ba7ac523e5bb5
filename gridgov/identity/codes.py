"""Codes that follow up a report without a name: twelve letters and digits without look-alikes, in groups of four.

Only a keyed hash is kept. A code is made from the ticket of the form that was sent, so that a form sent twice shows the same.
Wrong codes are counted by the address they come from, which is then shut out for a while. The key comes from
GRIDGOV_SEALING_KEY, else from GRIDGOV_SECRET_KEY; under another key no code opens anything any more.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gridgov.db import session, utcnow
from gridgov.identity.models import CodeGuard

SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without 0 and O, 1, I and L: 31 signs, so a code has 59 bits."""
LENGTH, GROUP = 12, 4
LOCK_AFTER = 10
FIRST_S, MOST_S = 60, 3_600
FORGET = timedelta(days=1)
_secret = b""


def use(secret: str) -> None:
    """Take the key from this secret from now on."""
    global _secret
    _secret = secret.encode()


def ticket() -> str:
    """A secret for one form: sending the form twice makes one report, with one code."""
    return secrets.token_urlsafe(24)


def of_ticket(ticket: str) -> str:
    """The code of a ticket, as it is shown: 7KQ2-M9XD-4HTP. Nobody can work it out without our key."""
    number = int.from_bytes(_keyed("code", ticket))
    signs = []
    for _sign in range(LENGTH):  # 256 bits over 59: no sign is likelier than another by more than 2^-190.
        number, at = divmod(number, len(SIGNS))
        signs.append(SIGNS[at])
    plain = "".join(signs)
    return "-".join(plain[n : n + GROUP] for n in range(0, LENGTH, GROUP))


def fingerprint(code: str) -> bytes:
    """What is kept of a code, whatever blanks, dashes and small letters it was written with."""
    return _keyed("follow-up code", re.sub(r"[\s\-–—－]", "", code).upper())


def locked_until(address: str) -> datetime | None:
    """Until when this network address is shut out; None when it is not."""
    guard = session.get(CodeGuard, _keyed("address", address))
    return guard.locked_until if guard and guard.locked_until and guard.locked_until > utcnow() else None


def count_failure(address: str) -> None:
    """Count a wrong code. From the tenth on, the address is shut out for a minute, then twice that, at most for an hour.

    Right codes do not count back: whoever holds one could guess others for ever.
    """
    key = _keyed("address", address)
    session.execute(sa.delete(CodeGuard).where(CodeGuard.failed_at < utcnow() - FORGET))
    session.execute(insert(CodeGuard).values(address=key, failures=0).on_conflict_do_nothing())
    guard = session.get_one(CodeGuard, key, with_for_update=True, populate_existing=True)
    now = utcnow()
    guard.failures, guard.failed_at = guard.failures + 1, now
    over = guard.failures - LOCK_AFTER
    if over >= 0:
        guard.locked_until = now + timedelta(seconds=min(MOST_S, FIRST_S * 2 ** min(over, 30)))
    session.flush()


def _keyed(purpose: str, text: str) -> bytes:
    if not _secret:
        raise RuntimeError("codes.use was not called")
    key = hmac.new(_secret, f"gridgov identity {purpose}".encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
