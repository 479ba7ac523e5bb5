"""One frozen object from GRIDGOV_* variables; what is missing or wrong stops the boot with a clear message."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gridgov.errors import ConfigError
from gridgov.logs import KINDS, LEVELS

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one installation. Each field is read from GRIDGOV_<FIELD>; durations are seconds, sizes bytes."""

    database_url: str
    redis_url: str
    var: Path
    secret_key: str
    workflows: Path = ROOT / "workflows"
    storage_url: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    secure_cookies: bool = False
    trusted_proxies: int = 0
    language: str = "zh"
    site_name: str = ""
    photo_max_bytes: int = 15 * 1024 * 1024
    photo_max_pixels: int = 50_000_000
    session_idle_s: int = 30 * 86_400
    session_idle_official_s: int = 8 * 3_600
    session_max_s: int = 90 * 86_400
    argon2_memory_kib: int = 19_456
    argon2_time_cost: int = 2
    lockout_after: int = 5
    lockout_first_s: int = 60
    lockout_max_s: int = 3_600
    lockout_forget_s: int = 86_400
    sign_in_log_days: int = 365
    login_rate: str = "5 per minute"
    login_ip_rate: str = "60 per minute"
    intake_rate: str = "60 per hour"
    upload_rate: str = "240 per hour"
    look_rate: str = "20 per hour"
    anonymous_rate: str = "10 per hour"
    code_rate: str = "20 per minute"
    near_rate: str = "240 per hour"
    rate_limits: bool = True
    db_pool_size: int = 8
    statement_timeout_ms: int = 15_000
    tile_url: str = ""
    tile_subdomains: str = ""
    tile_crs: str = "wgs84"
    tile_attribution: str = ""
    map_review_number: str = ""
    log_level: str = "INFO"
    log: str = "text"
    metrics_token: str = ""
    public_url: str = ""
    mail_url: str = ""
    sms_url: str = ""
    sms_method: str = "POST"
    sms_body: str = '{"phone": "{phone}", "text": "{text}"}'
    sms_headers: str = ""
    sms_ok: str = ""
    outbound_private: str = ""
    sealing_key: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **given: Any) -> "Config":
        """Read GRIDGOV_* variables. `given` wins over them. Raises ConfigError naming everything that is wrong."""
        env = os.environ if env is None else env
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field in dataclasses.fields(cls):
            name = f"GRIDGOV_{field.name.upper()}"
            if field.name in given:
                values[field.name] = given[field.name]
            elif env.get(name, "") != "":
                try:
                    values[field.name] = _read(env[name], field.type)
                except ValueError as error:
                    wrong.append(f"{name}: {error}")
        values.setdefault("var", ROOT / "var")
        values["var"] = Path(values["var"]).absolute()
        for name in ("database_url", "redis_url", "secret_key"):
            if not values.get(name) and not any(w.startswith(f"GRIDGOV_{name.upper()}") for w in wrong):
                wrong.append(f"GRIDGOV_{name.upper()}: not set")
        wrong += _check(values)
        if wrong:
            raise ConfigError("; ".join(wrong))
        return cls(**values)

    @property
    def photos_url(self) -> str:
        """Where photos are kept: the configured store, else a folder in `var`."""
        return self.storage_url or (self.var / "photos").as_uri()


def _read(text: str, kind: Any) -> Any:
    """Turn a variable's text into the field's type. Raises ValueError with the reason."""
    if kind is bool:
        if text.lower() not in {"1", "0", "true", "false", "yes", "no"}:
            raise ValueError(f"{text!r} is not true or false")
        return text.lower() in {"1", "true", "yes"}
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
    return Path(text) if kind is Path else text


def _check(values: dict[str, Any]) -> list[str]:
    """What is wrong with values that have the right type."""
    wrong = []
    url = values.get("database_url", "")
    if url and urlsplit(url).scheme not in {"postgresql", "postgres"}:
        wrong.append("GRIDGOV_DATABASE_URL: must begin with postgresql://")
    url = values.get("redis_url", "")
    if url and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        wrong.append("GRIDGOV_REDIS_URL: must begin with redis://, rediss:// or unix://")
    if values.get("language", "zh") not in {"zh", "en"}:
        wrong.append("GRIDGOV_LANGUAGE: zh or en")
    if values.get("tile_crs", "wgs84") not in {"wgs84", "gcj02"}:
        wrong.append("GRIDGOV_TILE_CRS: wgs84 or gcj02")
    if values.get("log", "text") not in KINDS:
        wrong.append(f"GRIDGOV_LOG: {' or '.join(KINDS)}")
    if values.get("log_level", "INFO") not in LEVELS:
        wrong.append(f"GRIDGOV_LOG_LEVEL: one of {', '.join(LEVELS)}")
    if 0 < len(values.get("metrics_token", "")) < 16:
        wrong.append("GRIDGOV_METRICS_TOKEN: at least 16 characters")
    if len(values.get("secret_key", "x" * 32)) < 32:
        wrong.append("GRIDGOV_SECRET_KEY: at least 32 characters")
    for name, value in values.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < 0:
            wrong.append(f"GRIDGOV_{name.upper()}: must not be negative")
    return wrong
