"""What is brought, how a call ended, and what a group's address looks like. Loads nothing that sends."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gridgov.notices.models import Channel

KEYS = {
    Channel.WECOM: re.compile(r"https://qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=([A-Za-z0-9_-]{10,64})"),
    Channel.DINGTALK: re.compile(
        r"https://oapi\.dingtalk\.com/robot/send\?access_token=([A-Za-z0-9]{10,100})(?:#([A-Za-z0-9]{10,100}))?"
    ),
    Channel.FEISHU: re.compile(r"https://open\.feishu\.cn/open-apis/bot/v2/hook/([A-Za-z0-9_-]{10,64})/?"),
}
WEBHOOK = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[\x21-\x7e]*)?")


@dataclass(frozen=True)
class Message:
    """What is to be brought: `key` is the same whenever this very message is sent again."""

    key: str
    subject: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """How a call ended. `final`: trying again is of no use. `answer`: what the provider calls the message."""

    ok: bool
    error: str = ""
    final: bool = False
    answer: str = ""


def well_formed(channel: Channel, target: str) -> bool:
    """Whether a group's address has the form its provider gives out. Of DingTalk's, `#` and the secret may follow."""
    if channel in KEYS:
        return KEYS[channel].fullmatch(target) is not None
    parts = urlsplit(target)
    return WEBHOOK.fullmatch(target) is not None and bool(parts.hostname) and parts.username is None and not parts.fragment
