"""Photos recorded: once, as they are stored, and not at all when the store fails."""

import io
import threading
import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.exc import IntegrityError

from gridgov import db
from gridgov.errors import Conflict, DomainError, Invalid, Unavailable
from gridgov.people.models import Person
from gridgov.photos import actions, images, settings
from gridgov.photos.models import Photo
from gridgov.photos.storage import Store
from tests import photo_files as files
from tests.photo_files import Sender, encode, scene
from tests.seed import PHONES


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG"])


def jpeg(seed: int = 1) -> io.BytesIO:
    return io.BytesIO(encode(scene((640, 480), seed), "JPEG"))


def test_a_photo_is_recorded_as_it_is_stored(city, db_session) -> None:
    data = files.phone_jpeg(6, (640, 480))
    taken_at = datetime(2026, 11, 21, 8, tzinfo=UTC)
    photo = actions.take(io.BytesIO(data), actor=city.worker, lat=26.72, lon=110.63, taken_at=taken_at)
    db_session.expire_all()
    assert (photo.width, photo.height, photo.content_type) == (480, 640, "image/jpeg")
    assert photo.owner_id == city.worker.id
    assert (photo.lat, photo.lon, photo.taken_at) == (26.72, 110.63, taken_at)
    assert photo.created_at == db.utcnow()
    stored = settings.current().store.get(photo.key)
    assert (len(stored), opened(stored).size) == (photo.bytes, (480, 640))
    assert opened(settings.current().store.get(photo.thumb_key)).size == (360, 480)


def test_the_same_id_again_gives_the_first_photo(city, db_session) -> None:
    photo_id = uuid.uuid4()
    first = actions.take(jpeg(1), actor=city.worker, id=photo_id)
    assert actions.take(jpeg(2), actor=city.worker, id=photo_id) is first
    assert actions.take(io.BytesIO(b"cut off by the net"), actor=city.worker, id=photo_id) is first
    assert db_session.scalar(sa.select(sa.func.count()).select_from(Photo)) == 1


def test_somebody_else_s_id_is_a_conflict(city) -> None:
    photo_id = uuid.uuid4()
    actions.take(jpeg(), actor=city.worker, id=photo_id)
    with pytest.raises(Conflict) as refusal:
        actions.take(jpeg(), actor=city.resident, id=photo_id)
    assert refusal.value.code == "photo_id_taken"


def test_half_a_place_is_refused(city) -> None:
    with pytest.raises(Invalid):
        actions.take(jpeg(), actor=city.worker, lat=26.7)


def test_a_refused_file_leaves_neither_row_nor_file(city, db_session) -> None:
    before = set(settings.current().store.listing())
    with pytest.raises(images.PhotoRefused):
        actions.take(io.BytesIO(b"text"), actor=city.worker)
    assert db_session.scalar(sa.select(sa.func.count()).select_from(Photo)) == 0
    assert set(settings.current().store.listing()) == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("bytes", 0),
        ("width", 0),
        ("height", -1),
        ("sha256", "abc"),
        ("sha256", "G" * 64),
        ("lat", 91.0),
        ("lon", None),
    ],
)
def test_the_database_refuses_rows_that_cannot_be(column: str, value: object, city, db_session) -> None:
    photo = actions.take(jpeg(), actor=city.worker, lat=26.72, lon=110.63)
    with pytest.raises(IntegrityError), db_session.begin_nested():
        db_session.execute(sa.update(Photo).where(Photo.id == photo.id).values({column: value}))


@pytest.mark.parametrize("owners", [("worker", "worker"), ("worker", "resident")])
def test_the_same_id_sent_twice_at_once_is_one_photo(owners, live, monkeypatch) -> None:
    photo_id, both_stored = uuid.uuid4(), threading.Barrier(2, timeout=20)
    found: list[object] = []
    put = settings.current().store.put

    def together(key: str, data: bytes, *, content_type: str) -> None:
        put(key, data, content_type=content_type)
        if ".thumb." in key:
            both_stored.wait()  # Both have looked for the id before; now both insert.

    monkeypatch.setattr(settings.current().store, "put", together)

    def send(owner: str) -> None:
        try:
            with db.transaction():
                person = db.session.scalars(sa.select(Person).where(Person.phone == PHONES[owner])).one()
                found.append(actions.take(jpeg(), actor=person, id=photo_id).key)
        except DomainError as refusal:
            found.append(refusal.code)
        finally:
            db.session.remove()

    senders = [threading.Thread(target=send, args=(owner,)) for owner in owners]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join(30)
    [row] = db.session.execute(sa.select(Photo.key, Photo.owner_id)).all()
    if owners[0] == owners[1]:
        assert found == [row.key, row.key]
    else:
        assert sorted(found, key=lambda x: x == "photo_id_taken") == [row.key, "photo_id_taken"]


def test_a_store_that_fails_leaves_no_row_and_is_said_in_words(
    app, city, db_session, tmp_path, monkeypatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    broken = Store((tmp_path / "file" / "photos").as_uri())
    monkeypatch.setattr(settings, "_current", [settings.Settings(broken, 2**20, 10**7)])
    sender, worker_id = Sender(app), city.worker.id
    sender.sign_in(city.worker)
    got = sender.photo(jpeg().getvalue(), worker_id)
    assert (got.status_code, got.get_json()["code"]) == (503, "storage_unavailable")
    assert got.mimetype == "application/problem+json"
    assert str(tmp_path) not in got.text, "the address of the store is for the log"
    assert db_session.scalar(sa.select(sa.func.count()).select_from(Photo)) == 0


def test_a_thumbnail_that_cannot_be_stored_leaves_no_row(city, db_session, tmp_path, monkeypatch) -> None:
    store = Store(tmp_path.as_uri())
    monkeypatch.setattr(settings, "_current", [settings.Settings(store, 2**20, 10**7)])
    put = store.put

    def failing(key: str, data: bytes, *, content_type: str) -> None:
        if ".thumb." in key:
            raise Unavailable("full", code="storage_unavailable")
        put(key, data, content_type=content_type)

    monkeypatch.setattr(store, "put", failing)
    with pytest.raises(Unavailable):
        actions.take(jpeg(), actor=city.worker)
    assert db_session.scalar(sa.select(sa.func.count()).select_from(Photo)) == 0
    assert len(list(store.listing())) == 1, "the orphan that the sweep removes"


def test_a_lost_file_is_a_404_and_logged(app, city, caplog) -> None:
    photo = actions.take(jpeg(), actor=city.worker)
    photo_id, key, worker_id = photo.id, photo.key, city.worker.id
    settings.current().store.delete(key)
    sender = Sender(app)
    sender.sign_in(city.worker)
    got = sender.get(f"/photos/{photo_id}", worker_id, Accept="application/json")
    assert (got.status_code, got.get_json()["code"]) == (404, "photo_lost")
    assert key in caplog.text
