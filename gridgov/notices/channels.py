"""The ways out, through apprise: robots of WeCom, DingTalk and Feishu, webhooks, e-mail; text messages by an HTTP gateway.

Nothing here touches the database. Each call ends in an Outcome; what raises is our own mistake. The plugins are made from
parts that were checked, never from an address of apprise's own kind, so nobody chooses another plugin or its options.
"""

import email
import email.policy
import json
import logging
import re
import smtplib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import apprise
import requests
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.email.base import NotifyEmail
from apprise.plugins.email.smtp import AppriseSMTPController
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

from gridgov.notices import outbound, settings
from gridgov.notices.messages import KEYS, Message, Outcome
from gridgov.notices.models import Channel

ASSET = apprise.AppriseAsset(app_id="gridgov", http_redirects=False)
logging.getLogger("apprise").setLevel(logging.CRITICAL)  # It names mailboxes and keys; what failed stands in the outcome.
TRY_AGAIN = {408, 425, 429}
# What the robots answer, with a 200, when trying again is of no use: the key is wrong, or the robot wants another signature,
# word or address of ours. Source: the providers' lists of error codes.
FOR_GOOD = {
    Channel.WECOM: {93000, 93008},
    Channel.DINGTALK: {300001, 300005, 310000},
    Channel.FEISHU: {19001, 19021, 19022, 19024},
}
KEY_HEADER = "Idempotency-Key"


def send(channel: Channel, target: str, message: Message) -> Outcome:
    """Bring one message to one address. `target`: the number of a phone, a mailbox, or what `messages.well_formed` has passed."""
    return _WAYS[channel](target, message)


# Robots and webhooks --------------------------------------------------------------------------------------------------


def _wecom(target: str, message: Message) -> Outcome:
    key = _key(Channel.WECOM, target)[0]
    return _robot(Channel.WECOM, NotifyWeComBot(key=key, asset=ASSET), message)


def _dingtalk(target: str, message: Message) -> Outcome:
    token, secret = _key(Channel.DINGTALK, target)
    return _robot(Channel.DINGTALK, NotifyDingTalk(token=token, secret=secret, asset=ASSET), message)


def _feishu(target: str, message: Message) -> Outcome:
    token = _key(Channel.FEISHU, target)[0]
    return _robot(Channel.FEISHU, NotifyFeishu(token=token, asset=ASSET), message)


def _key(channel: Channel, target: str) -> tuple[str, str | None]:
    found = KEYS[channel].fullmatch(target)
    if found is None:
        raise AssertionError(f"an address of {channel} that was never checked")
    return found[1], found[2] if channel == Channel.DINGTALK else None


def _robot(channel: Channel, plugin: Any, message: Message) -> Outcome:
    with outbound.watched(settings.current().private) as watch:
        plugin.send(body=message.text)
    refused = _refused(watch)
    if refused is not None:
        return refused
    code, words = _said(watch.answers[-1][1])
    if code == 0:
        return Outcome(True)
    return Outcome(False, f"{code}: {words}"[:200], final=code in FOR_GOOD[channel])


def _webhook(target: str, message: Message) -> Outcome:
    parts = urlsplit(target)
    plugin = NotifyJSON(
        host=parts.hostname, port=parts.port, secure=parts.scheme == "https", fullpath=parts.path or "/",
        params=dict(parse_qsl(parts.query, keep_blank_values=True)), headers={KEY_HEADER: message.key}, asset=ASSET,
    )  # fmt: skip
    with outbound.watched(settings.current().private) as watch:
        plugin.send(body=message.text, title=message.subject)
    return _refused(watch) or Outcome(True, answer=_named(watch.answers[-1][1]))


def _refused(watch: outbound.Watch) -> Outcome | None:
    """The failure that shows in the connection or the HTTP status; None when it is a 2xx."""
    if not watch.answers:
        return Outcome(False, watch.error or "no answer")
    status = watch.answers[-1][0]
    if 200 <= status < 300:
        return None
    return Outcome(False, f"HTTP {status}", final=300 <= status < 500 and status not in TRY_AGAIN)


def _said(body: bytes) -> tuple[int, str]:
    """Code and words of a robot's answer. One that is no such answer counts as a failure."""
    try:
        answer = json.loads(body)
        code = next(answer[name] for name in ("errcode", "code", "StatusCode") if name in answer)
        return int(code), str(answer.get("errmsg") or answer.get("msg") or "")
    except (ValueError, TypeError, StopIteration, RecursionError):
        return -1, "an answer that is none of a robot's"


def _named(body: bytes) -> str:
    """The name that a program gave the message, if it answers with one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(answer.get("id", ""))[:100] if isinstance(answer, dict) else ""


# E-mail ---------------------------------------------------------------------------------------------------------------


class _Smtp(AppriseSMTPController):
    """apprise's connection, without its habit of turning the server's refusals into a mere no."""

    def hand_in(self, sender: str, recipients: list[str], mail: str) -> None:
        """Give the server one mail. Raises smtplib's errors."""
        connection: Any = self._socket
        connection.sendmail(sender, recipients, mail)


def _mail(target: str, message: Message) -> Outcome:
    plugin = _mailer(target)
    try:
        smtp: Any
        with _Smtp(
            plugin.smtp_host, plugin.port, plugin.secure_mode, plugin.user, plugin.password, plugin.verify_certificate,
            socket_connect_timeout=int(outbound.READ_S),
        ) as smtp:  # fmt: skip
            for mail in NotifyEmail.prepare_emails(
                subject=message.subject, body=message.text, from_addr=plugin.from_addr, to=plugin.targets,
                smtp_host=plugin.smtp_host, notify_format=apprise.NotifyFormat.TEXT, headers={}, names=plugin.names,
            ):  # fmt: skip
                smtp.hand_in(plugin.from_addr[1], mail.to_addrs, _identified(mail.body, message.key, plugin.from_addr[1]))
    except smtplib.SMTPRecipientsRefused as error:
        return _by_status(*next(iter(error.recipients.values())))
    except smtplib.SMTPAuthenticationError as error:  # Ours is wrong, not the recipient's: that is for the operator.
        return Outcome(False, f"the mail server does not let us in: {error.smtp_code}")
    except smtplib.SMTPResponseException as error:
        return _by_status(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(False, f"mail server: {type(error).__name__}")
    return Outcome(True, answer=message.key)


def _mailer(target: str) -> Any:
    """apprise's own reading of the mail server's address, sending to this mailbox alone."""
    plugin = apprise.Apprise.instantiate(settings.current().mail_url, asset=ASSET)
    if not isinstance(plugin, NotifyEmail):
        raise AssertionError("settings.use lets only mailto:// and mailtos:// through")
    plugin.targets, plugin.cc, plugin.bcc = [(False, target)], set(), set()
    return plugin


def _identified(mail: str, key: str, sender: str) -> str:
    """The mail with a Message-ID that stays the same when it is sent again, by which mail programs know doubles."""
    parsed = email.message_from_string(mail, policy=email.policy.SMTP)
    del parsed["Message-ID"]
    parsed["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    return parsed.as_string()


def _by_status(status: int, _words: Any) -> Outcome:
    """5xx is for good (RFC 5321, 4.2.1). The server's words may name the mailbox, so they are not kept."""
    return Outcome(False, f"mail server: {status}", final=500 <= status < 600)


# Text messages --------------------------------------------------------------------------------------------------------


def _sms(target: str, message: Message) -> Outcome:
    """Call the gateway that the operator configured, and no other place: its host is fixed and redirects are not followed."""
    gateway = settings.current().sms
    if gateway is None:
        return Outcome(False, "no gateway for text messages is configured")
    body, kind = _filled(gateway.body, {"{phone}": target, "{text}": message.text})
    request: dict[str, Any] = {"headers": {**gateway.headers, KEY_HEADER: message.key}}
    if gateway.method == "GET":
        request["params"] = parse_qsl(body)
    else:
        request["data"] = body.encode()
        request["headers"]["Content-Type"] = kind
    with outbound.watched(None) as watch:
        try:
            requests.request(gateway.method, gateway.url, allow_redirects=False, timeout=outbound.READ_S, **request)
        except requests.RequestException:
            return Outcome(False, watch.error or "no answer")
    if (refused := _refused(watch)) is not None:
        return refused
    answer = watch.answers[-1][1].decode("utf-8", "replace")
    if gateway.ok is not None and not gateway.ok.search(answer):
        digits = re.search(r"-?\d+", answer)  # Its words may hold the number called; a code does not.
        return Outcome(False, f"the gateway refuses: {digits[0][:10] if digits else 'no code'}")
    return Outcome(True, answer=_named(watch.answers[-1][1]))


def _filled(template: str, values: dict[str, str]) -> tuple[str, str]:
    """The body with the values in it, as values: no sign in them can end a text or begin another field."""

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: fill(value) for key, value in part.items()}
        if isinstance(part, list):
            return [fill(value) for value in part]
        if isinstance(part, str):
            return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], part)
        return part

    if template.lstrip().startswith("{"):
        return json.dumps(fill(json.loads(template)), ensure_ascii=False), "application/json; charset=utf-8"
    pairs = [(unquote(name), fill(value)) for name, value in parse_qsl(template, keep_blank_values=True)]
    return urlencode(pairs), "application/x-www-form-urlencoded"


_WAYS: dict[Channel, Callable[[str, Message], Outcome]] = {
    Channel.WECOM: _wecom,
    Channel.DINGTALK: _dingtalk,
    Channel.FEISHU: _feishu,
    Channel.WEBHOOK: _webhook,
    Channel.MAIL: _mail,
    Channel.SMS: _sms,
}
