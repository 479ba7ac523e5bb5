"""What the installation allows of the ways out, from its configuration: read once, when the application is made."""

import ipaddress
import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gridgov.config import Config
from gridgov.errors import ConfigError
from gridgov.notices import sealing
from gridgov.notices.models import GROUP, Channel

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAIL_SCHEMES = {"mailto", "mailtos"}


@dataclass(frozen=True)
class Gateway:
    """An HTTP gateway for text messages. `form` or `document` is the body, with {phone} and {text} in it."""

    url: str
    method: str
    body: str
    headers: dict[str, str]
    ok: re.Pattern[str] | None


@dataclass(frozen=True)
class Settings:
    """`private`: networks that may be called although they are not public."""

    public_url: str = ""
    language: str = "zh"
    mail_url: str = ""
    sms: Gateway | None = None
    private: tuple[Network, ...] = field(default=())

    def offers(self, channel: Channel) -> bool:
        """Whether the installation has what this way needs. Groups need nothing but their own address."""
        return channel in GROUP or bool(self.mail_url if channel == Channel.MAIL else self.sms)


_present = Settings()


def use(config: Config) -> None:
    """Take what the configuration says. Raises ConfigError for what cannot be understood."""
    global _present
    sealing.use(config.sealing_key or config.secret_key)
    _present = Settings(
        public_url=_address("public_url", config.public_url, {"http", "https"}).rstrip("/"),
        language=config.language,
        mail_url=_address("mail_url", config.mail_url, MAIL_SCHEMES),
        sms=_gateway(config) if config.sms_url else None,
        private=_networks(config.outbound_private),
    )


def current() -> Settings:
    """What holds now."""
    return _present


def _address(name: str, url: str, schemes: set[str]) -> str:
    if url and (urlsplit(url).scheme not in schemes or not urlsplit(url).hostname):
        raise ConfigError(f"GRIDGOV_{name.upper()}: must begin with {' or '.join(f'{s}://' for s in sorted(schemes))}")
    return url


def _gateway(config: Config) -> Gateway:
    method = config.sms_method.upper()
    if method not in {"POST", "GET"}:
        raise ConfigError("GRIDGOV_SMS_METHOD: POST or GET")
    if "{phone}" not in config.sms_body or "{text}" not in config.sms_body:
        raise ConfigError("GRIDGOV_SMS_BODY: {phone} and {text} must stand in it")
    if config.sms_body.lstrip().startswith("{"):
        try:
            json.loads(config.sms_body)
        except ValueError as error:
            raise ConfigError(f"GRIDGOV_SMS_BODY: no JSON: {error}") from None
    headers = {}
    for line in filter(None, (part.strip() for part in config.sms_headers.split("|"))):
        name, colon, value = line.partition(":")
        if not colon:
            raise ConfigError("GRIDGOV_SMS_HEADERS: each is Name: value, several are parted by |")
        headers[name.strip()] = value.strip()
    try:
        ok = re.compile(config.sms_ok) if config.sms_ok else None
    except re.error as error:
        raise ConfigError(f"GRIDGOV_SMS_OK: no regular expression: {error}") from None
    url = _address("sms_url", config.sms_url, {"http", "https"})
    return Gateway(url, method, config.sms_body, headers, ok)


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f"GRIDGOV_OUTBOUND_PRIVATE: {error}") from None
