"""Languages, times in words, assets, headers and the switches, without a database."""

import gzip
import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

from gridgov import assets, display, headers, i18n
from gridgov.errors import Invalid
from gridgov.i18n import forced
from tests import gallery

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "gridgov/translations/zh/LC_MESSAGES/messages.po"
NOW = gallery.NOW


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The gallery: shell, macros, switches, assets and headers."""
    return gallery.make_app(monkeypatch)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody looking at the gallery, without CSRF checks."""
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client()


# ---- Language ----


def test_chinese_is_spoken_unless_switched(client: FlaskClient) -> None:
    chinese = client.get("/gallery/list", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert '<html lang="zh-CN"' in chinese
    assert "跳到正文" in chinese
    client.post("/language", data={"lang": "en"})
    english = client.get("/gallery/list").get_data(as_text=True)
    assert '<html lang="en"' in english
    assert "Skip to content" in english


def test_the_choice_outlives_the_session(client: FlaskClient) -> None:
    client.post("/language", data={"lang": "en"})
    client.delete_cookie("session")
    assert '<html lang="en"' in client.get("/gallery/list").get_data(as_text=True)


def test_an_unknown_language_is_refused(client: FlaskClient) -> None:
    with pytest.raises(Invalid):
        client.post("/language", data={"lang": "fr"})


def test_a_switch_is_kept_for_the_person(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[object] = []
    monkeypatch.setattr(i18n, "_hooks", [kept.append])
    monkeypatch.setattr(display, "_elder_hooks", [kept.append])
    client.post("/language", data={"lang": "en"})
    assert kept == []
    monkeypatch.setattr(i18n, "current_user", gallery.PERSON)
    monkeypatch.setattr(display, "current_user", gallery.PERSON)
    client.post("/language", data={"lang": "zh"})
    client.post("/elder", data={"elder": "1"})
    assert kept == ["zh", True]


@pytest.mark.parametrize(
    ("referrer", "target"),
    [
        ("http://localhost/gallery/list?page=2", "/gallery/list?page=2"),
        ("http://evil.example/gallery/list", "/"),
        ("http://localhost//evil.example/", "/"),
        ("", "/"),
    ],
)
def test_a_switch_leads_back_but_never_away(client: FlaskClient, referrer: str, target: str) -> None:
    answer = client.post("/elder", data={"elder": "1"}, headers={"Referer": referrer} if referrer else {})
    assert (answer.status_code, answer.headers["Location"]) == (302, target)


def test_the_elder_view_is_switched_on_and_off(client: FlaskClient) -> None:
    client.post("/elder", data={"elder": "1"})
    assert "data-elder" in client.get("/gallery/list").get_data(as_text=True)
    client.post("/elder", data={"elder": "0"})
    assert "data-elder" not in client.get("/gallery/list").get_data(as_text=True)
    with pytest.raises(Invalid):
        client.post("/elder", data={"elder": "2"})


def test_labels_of_policy_files_are_picked_by_language(app: Flask) -> None:
    label = {"zh": "待受理", "en": "Reported"}
    with app.test_request_context():
        assert (i18n.pick(label), i18n.pick("plain"), i18n.pick(None)) == ("待受理", "plain", "")
        with forced("en"):
            assert i18n.pick(label) == "Reported"
            assert i18n.pick({"zh": "仅中文"}) == "仅中文"
    assert i18n.pick(label) == "待受理"


def test_the_scripts_texts_come_as_a_dictionary(client: FlaskClient) -> None:
    page = client.get("/gallery/list").get_data(as_text=True)
    address = re.search(r'src="(/i18n/zh\.js\?v=[0-9a-f]{8})"', page)[1]  # type: ignore[index]
    answer = client.get(address)
    texts = json.loads(answer.get_data(as_text=True).removeprefix("window.gvMessages=").rstrip(";"))
    assert texts["Send now"] == "立即发送"
    assert answer.cache_control.max_age == 365 * 86_400
    client.post("/language", data={"lang": "en"})
    assert "/i18n/" not in client.get("/gallery/list").get_data(as_text=True)


def test_every_text_of_the_scripts_is_in_the_catalogue(app: Flask) -> None:
    with CATALOGUE.open("rb") as file:
        known = {message.id: message.string for message in read_po(file) if message.id}
    with app.app_context():
        texts = assets.messages()
    assert len(texts) > 20
    assert [text for text in texts if not known.get(text)] == []


# ---- Times in words ----


@pytest.mark.parametrize(
    ("at", "zh", "en"),
    [
        (NOW, "11月21日 14:05", "21 Nov 14:05"),
        (datetime(2025, 12, 31, 16, 30, tzinfo=UTC), "1月1日 00:30", "1 Jan 00:30"),
        (datetime(2025, 12, 31, 15, 30, tzinfo=UTC), "2025年12月31日 23:30", "31 Dec 2025 23:30"),
    ],
)
def test_a_time_is_told_as_in_shanghai_with_the_year_when_it_is_another(
    app: Flask, at: datetime, zh: str, en: str
) -> None:
    with app.test_request_context():
        assert i18n.dt(at) == zh
        with forced("en"):
            assert i18n.dt(at) == en


@pytest.mark.parametrize(
    ("left", "zh", "en"),
    [
        (timedelta(hours=3, minutes=20), "还剩 3 小时 20 分钟", "3 hours 20 minutes left"),
        (timedelta(minutes=1), "还剩 1 分钟", "1 minute left"),
        (timedelta(days=2, hours=5), "还剩 2 天 5 小时", "2 days 5 hours left"),
        (timedelta(days=9, hours=5), "还剩 9 天", "9 days left"),
        (timedelta(hours=-3), "已超期 3 小时", "overdue by 3 hours"),
        (timedelta(days=-2), "已超期 2 天", "overdue by 2 days"),
    ],
)
def test_the_time_left_is_told_in_words(app: Flask, left: timedelta, zh: str, en: str) -> None:
    with app.test_request_context():
        assert i18n.remaining(NOW + left, NOW) == zh
        with forced("en"):
            assert i18n.remaining(NOW + left, NOW) == en


def test_what_is_past_is_told_roughly(app: Flask) -> None:
    with app.test_request_context():
        told = [
            i18n.ago(NOW - gone, NOW)
            for gone in (timedelta(seconds=20), timedelta(minutes=5), timedelta(hours=30))
        ]
        assert told == ["刚刚", "5 分钟前", "1 天前"]
        assert i18n.ago(NOW - timedelta(days=12), NOW) == "11月9日 14:05"
        assert (i18n.dt(None), i18n.ago(None), i18n.remaining(None), i18n.day(None), i18n.clock(None)) == (
            "",
        ) * 5


def test_days_clocks_and_numbers(app: Flask) -> None:
    with app.test_request_context():
        assert i18n.day(date(2026, 2, 17)) == "2026年2月17日"
        assert i18n.day(datetime(2026, 2, 16, 16, 30, tzinfo=UTC)) == "2026年2月17日"
        assert i18n.clock(NOW) == "14:05"
        assert (i18n.number(843000), i18n.number(None)) == ("843,000", "")


# ---- Assets and headers ----


def test_built_files_are_compressed_and_kept_for_a_year(client: FlaskClient, app: Flask) -> None:
    with app.test_request_context():
        address = assets.asset_url("app.js")
    assert re.fullmatch(r"/static/dist/app-[0-9a-f]{10}\.js", address)
    plain = client.get(address)
    packed = client.get(address, headers={"Accept-Encoding": "gzip, deflate"})
    best = client.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert gzip.decompress(packed.data) == plain.data
    assert (packed.headers["Content-Encoding"], best.headers["Content-Encoding"]) == ("gzip", "br")
    assert len(best.data) < len(packed.data) < len(plain.data) / 2
    for answer in (plain, packed, best):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/static/dist/manifest.json",
        "/static/dist/app-0000000000.js",
        "/static/dist/../../app.py",
        "/static/../app.py",
    ],
)
def test_nothing_else_is_served_from_there(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_hand_written_files_are_served(client: FlaskClient) -> None:
    assert "Disallow: /" in client.get("/robots.txt").get_data(as_text=True)
    assert client.get("/favicon.ico").mimetype == "image/svg+xml"


def test_a_missing_icon_fails_here_and_shows_a_dot_in_production(app: Flask) -> None:
    with app.test_request_context():
        assert assets.icon_href("camera").endswith("#camera")
        with pytest.raises(assets.AssetsMissing, match="no-such-icon"):
            assets.icon_href("no-such-icon")
        app.testing = False
        assert assets.icon_href("no-such-icon").endswith("#point")


def test_without_a_build_the_error_says_what_to_run(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "DIST", tmp_path)
    with app.test_request_context(), pytest.raises(assets.AssetsMissing, match=r"node build\.mjs"):
        assets.asset_url("app.js")


def test_the_security_policy_is_exactly_this(client: FlaskClient) -> None:
    answer = client.get("/gallery/list")
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert "geolocation=(self), camera=(self)" in answer.headers["Permissions-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("url", "subdomains", "hosts"),
    [
        (
            "https://t{s}.tianditu.gov.cn/vec_w/wmts?tk=1",
            "0,1",
            "https://t0.tianditu.gov.cn https://t1.tianditu.gov.cn",
        ),
        ("https://tiles.example:8443/{z}/{x}/{y}.png", "", "https://tiles.example:8443"),
    ],
)
def test_configured_tiles_are_the_only_pictures_from_elsewhere(url: str, subdomains: str, hosts: str) -> None:
    assert f"img-src 'self' data: blob: {hosts};" in headers.policy(url, subdomains)


# ---- Colours ----


def test_every_ink_can_be_read_on_its_ground() -> None:
    """Contrast of at least 4.5 : 1 for all pairs of the palette (WCAG 2.2, 1.4.3)."""
    text = (ROOT / "gridgov/frontend/src/css/tokens.css").read_text("utf-8")
    colour = dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{3,6})", text))
    pairs = [
        (f"{tone}-ink", f"{tone}-soft")
        for tone in ("blue", "green", "amber", "red", "grey", "violet", "teal")
    ]
    pairs += [
        (ink, ground)
        for ink in ("ink", "ink-2", "ink-3", "primary")
        for ground in ("surface", "surface-2", "ground")
    ]
    pairs += [
        ("surface", f"{tone}-solid") for tone in ("blue", "green", "amber", "red", "grey", "violet", "teal")
    ]
    pairs += [
        ("surface", "primary"),
        ("rail-ink", "rail"),
        ("danger", "surface"),
        ("primary-ink", "primary-soft"),
    ]
    assert [(a, b) for a, b in pairs if contrast(colour[a], colour[b]) < 4.5] == []
    assert contrast(colour["line-strong"], colour["surface"]) >= 3 - 0.1


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of a hex colour (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_palette_helper_agrees_with_the_definition() -> None:
    assert contrast("#fff", "#000") == pytest.approx(21)
    greys = [contrast("#fff", shade) for shade in ("#eee", "#999", "#333")]
    assert all(a < b for a, b in pairwise(greys))
