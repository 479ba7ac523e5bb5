"""Photos over HTTP: sent once, shown to the owner and to whom a package vouches for, refused in words."""

import io
import re
import uuid

import pytest
from flask import request
from PIL import Image
from werkzeug.exceptions import RequestEntityTooLarge

from gridgov.photos import queries, settings, uploads
from tests import photo_files as files
from tests.photo_files import Sender, encode, scene

MAX = 50_000_000
UNUSED = uuid.UUID(int=7)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG"])


@pytest.fixture
def sender(app, city) -> Sender:
    """Requests by the people of the city."""
    return Sender(app)


def jpeg(seed: int = 1) -> io.BytesIO:
    return io.BytesIO(encode(scene((640, 480), seed), "JPEG"))


def test_a_photo_sent_by_the_api_is_shown_to_its_owner(sender, city) -> None:
    sender.sign_in(city.worker)
    worker_id = city.worker.id
    got = sender.photo(files.phone_jpeg(6, (640, 480)), worker_id, lat="26.72", lon="110.63",
                       taken_at="2026-11-21T16:00:00+08:00")  # fmt: skip
    body = got.get_json()
    assert got.status_code == 201, body
    assert (body["width"], body["height"], body["lat"]) == (480, 640, 26.72)
    assert body["taken_at"] == "2026-11-21T08:00:00+00:00"
    assert not {"key", "thumb_key", "owner_id"} & set(body)
    assert sender.get(f"/api/v1/photos/{body['id']}", worker_id).get_json() == body
    shown = sender.get(body["url"], worker_id)
    assert (shown.status_code, shown.content_type, len(shown.data)) == (200, "image/jpeg", body["bytes"])
    assert shown.content_length == body["bytes"]
    assert opened(shown.data).size == (480, 640)
    assert opened(sender.get(body["thumb_url"], worker_id).data).size == (360, 480)


def test_a_picture_is_sent_with_headers_that_leave_it_no_power(sender, city) -> None:
    sender.sign_in(city.worker)
    worker_id = city.worker.id
    body = sender.photo(jpeg().getvalue(), worker_id).get_json()
    for url in (body["url"], body["thumb_url"]):
        headers = sender.get(url, worker_id).headers
        assert headers["Content-Type"] == "image/jpeg"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Content-Disposition"] == "inline"
        assert re.fullmatch(r"private, max-age=\d+, immutable", headers["Cache-Control"])
        assert "Cookie" in headers["Vary"]


def test_a_picture_the_browser_has_is_not_sent_again(sender, city) -> None:
    sender.sign_in(city.worker, city.resident)
    worker_id, resident_id = city.worker.id, city.resident.id
    body = sender.photo(jpeg().getvalue(), worker_id).get_json()
    tags = []
    for url in (body["url"], body["thumb_url"]):
        tags.append(sender.get(url, worker_id).headers["ETag"])
        again = sender.get(url, worker_id, **{"If-None-Match": tags[-1]})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tags[-1])
        assert sender.get(url, worker_id, **{"If-None-Match": '"other"'}).status_code == 200
        assert sender.get(url, resident_id, **{"If-None-Match": tags[-1]}).status_code == 404
    assert tags[0] != tags[1]


def test_nobody_finds_somebody_else_s_photo_until_a_package_vouches(sender, city, monkeypatch) -> None:
    sender.sign_in(city.worker, city.resident, city.city_office)
    worker_id, resident_id, office_id = city.worker.id, city.resident.id, city.city_office.id
    body = sender.photo(jpeg().getvalue(), worker_id).get_json()
    addresses = [body["url"], body["thumb_url"], f"/api/v1/photos/{body['id']}"]
    for url in addresses:
        assert sender.get(url, worker_id).status_code == 200
        for stranger in (resident_id, office_id):
            assert sender.get(url, stranger).status_code == 404
            assert sender.get(url.replace(body["id"], str(UNUSED)), stranger).status_code == 404
        assert sender.get(url, None, Accept="application/json").status_code == 401
    monkeypatch.setattr(
        queries, "viewers", [lambda person, photo: False, lambda person, photo: person.id == resident_id]
    )
    for url in addresses:
        assert sender.get(url, resident_id).status_code == 200
        assert sender.get(url, office_id).status_code == 404


def test_the_same_id_by_the_api_is_answered_200_with_the_first(sender, city) -> None:
    sender.sign_in(city.worker, city.resident)
    worker_id, resident_id, photo_id = city.worker.id, city.resident.id, str(uuid.uuid4())
    first = sender.photo(jpeg(1).getvalue(), worker_id, id=photo_id)
    again = sender.photo(jpeg(2).getvalue(), worker_id, id=photo_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json() == again.get_json()
    foreign = sender.photo(jpeg(1).getvalue(), resident_id, id=photo_id)
    assert (foreign.status_code, foreign.get_json()["code"]) == (409, "photo_id_taken")


def test_name_and_declared_type_decide_nothing(sender, city) -> None:
    sender.sign_in(city.worker)
    worker_id = city.worker.id
    assert sender.photo(jpeg().getvalue(), worker_id, name="../../evil.svg").status_code == 201
    for name, data in (("a.jpg", b"only text"), ("b.jpg", b"<svg/>"), ("c.heic", b"GIF89a")):
        got = sender.photo(data, worker_id, name=name)
        assert (got.status_code, got.get_json()["code"]) == (422, "photo_type")
        assert list(got.get_json()["errors"]) == ["photo"]


def test_a_photo_of_sixteen_megabytes_is_refused_in_words(sender, city) -> None:
    sender.sign_in(city.worker)
    worker_id, limit = city.worker.id, settings.current().max_bytes
    for size in (16 * 1024 * 1024, limit + 1):  # Refused by its stated length, and when it is read.
        got = sender.photo(b"\xff\xd8\xff" + b"x" * (size - 3), worker_id)
        assert (got.status_code, got.mimetype) == (413, "application/problem+json")
        assert got.get_json()["code"] == "photo_too_large"
        assert "15" in got.get_json()["title"]
    within = sender.photo(b"\xff\xd8\xff" + b"x" * (limit - 3), worker_id)
    assert within.get_json()["code"] == "photo_broken"


def test_a_body_without_stated_length_is_cut_off_as_well(app, city, monkeypatch) -> None:
    monkeypatch.setattr(settings, "_current", [settings.Settings(settings.current().store, 1000, MAX)])
    body = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    body += b"x" * (uploads.REST_BYTES + 2000)
    environ = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "REQUEST_METHOD": "POST",
               "CONTENT_TYPE": "multipart/form-data; boundary=b", "PATH_INFO": "/api/v1/photos"}  # fmt: skip
    with app.request_context({**app.test_request_context().request.environ, **environ}):
        uploads.bound("api.photos.create", None)
        with pytest.raises(RequestEntityTooLarge):
            uploads.received("photo")


def test_other_bodies_are_not_bounded_by_the_photos(app) -> None:
    with app.test_request_context("/", method="POST", data=b"x"):
        before = request.max_content_length
        uploads.bound("people.login", None)
        uploads.bound(None, None)
        assert request.max_content_length == before


def test_no_photo_or_a_wrong_field_is_said_beside_it(sender, city) -> None:
    sender.sign_in(city.worker)
    worker_id = city.worker.id
    got = sender.photo(b"", worker_id, name="")
    assert (got.status_code, got.get_json()["code"]) == (422, "photo_missing")
    for field, value in (
        ("id", "7"),
        ("lat", "91"),
        ("lon", "nan"),
        ("taken_at", "2026-11-21T16:00:00"),
        ("owner", "x"),
    ):
        got = sender.photo(jpeg().getvalue(), worker_id, **{field: value})
        assert (got.status_code, list(got.get_json()["errors"])) == (422, [field])


def test_sending_needs_a_signed_in_person(sender, city) -> None:
    assert sender.photo(jpeg().getvalue(), None).status_code in {400, 401}
