"""Rate limits, counted in Redis so that all processes count together, by a moving window.

Checked inside the view, where it is known who asks, and refused like everything else. Losing Redis does not
open the door: each process then counts for itself until Redis is back. (The lockout of a phone number does
not depend on Redis at all.)
"""

import functools
import hashlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import limits
import redis
from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from gridgov.config import Config
from gridgov.errors import ConfigError, TooMany
from gridgov.i18n import _
from gridgov.web import View, current_user

log = logging.getLogger("gridgov.limits")
RATES = ("login_rate", "login_ip_rate", "intake_rate", "upload_rate", "look_rate", "anonymous_rate", "code_rate", "near_rate")
AWAY_S = 5.0


class RateLimits:
    """The counters of one application."""

    def __init__(self, config: Config) -> None:
        self.enabled = config.rate_limits
        self._rates = {name: _parse(name, getattr(config, name)) for name in RATES}
        pool = redis.ConnectionPool.from_url(config.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)
        self._shared = MovingWindowRateLimiter(
            RedisStorage("redis://", connection_pool=pool, wrap_exceptions=True, key_prefix="gg:limit")
        )
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def hit(self, rate: str, *who: str) -> None:
        """Count one request of `who` against a rate. Raises TooMany, with the seconds to wait, when it is
        used up.
        """
        if not self.enabled:
            return
        key = hashlib.sha256("\0".join(who).encode()).hexdigest()[
            :32
        ]  # No phone number or address lies in Redis.
        for item in self._rates[rate]:
            if not self._in_turn("hit", item, rate, key):
                stats = self._in_turn("get_window_stats", item, rate, key)
                wait_s = max(1, math.ceil(stats.reset_time - time.time()))
                raise TooMany(
                    _("Too many requests. Please try again in %(wait)s seconds.", wait=wait_s),
                    retry_after_s=wait_s,
                )

    def _in_turn(self, what: str, *args: Any) -> Any:
        """Ask Redis, or this process's own counters while Redis is away."""
        if time.monotonic() >= self._away_until:
            try:
                return getattr(self._shared, what)(*args)
            except (StorageError, redis.RedisError) as error:
                self._away_until = time.monotonic() + AWAY_S
                log.warning("rate limits are counted per process: %s", error)
        return getattr(self._local, what)(*args)


def init_app(app: Flask) -> None:
    """Read the rates. Raises ConfigError for one that cannot be understood."""
    app.extensions["rate_limits"] = RateLimits(app.config["GRIDGOV"])


def hit(rate: str, *who: str) -> None:
    """Count one request of `who`: an account, a person, an address. Raises TooMany."""
    current_app.extensions["rate_limits"].hit(rate, *who)


def limited(rate: str) -> Callable[[View], View]:
    """Limit a view per signed-in person: `@limited("intake_rate")`, below the route."""
    if rate not in RATES:
        raise ValueError(f"unknown rate {rate!r}")

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def inner(*args: object, **kwargs: object) -> ResponseReturnValue:
            hit(rate, str(current_user.id) if current_user.is_authenticated else request.remote_addr or "")
            return view(*args, **kwargs)

        return inner

    return wrap


def _parse(name: str, text: str) -> list[limits.RateLimitItem]:
    try:
        return limits.parse_many(text)
    except ValueError:
        raise ConfigError(f"GRIDGOV_{name.upper()}: {text!r} is not a rate such as '60 per hour'") from None
