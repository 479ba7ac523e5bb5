"""The store of photos: the same behaviour in a folder and in an S3 store, moto's real HTTP server."""

import io
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from PIL import Image

from gridgov.errors import ConfigError, NotFound, Unavailable
from gridgov.photos import actions, cli, settings, storage
from gridgov.photos.storage import Store, new_key
from tests.photo_files import Sender

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
KEYS = {"access_key": "test", "secret_key": "test"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server with a bucket named photos. A process of its own, as it is in real life."""
    log = tmp_path_factory.mktemp("s3") / "log"
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as server:
        try:
            for _wait in range(400):
                if found := re.search(rb"Running on (http://127\.0\.0\.1:\d+)", log.read_bytes()):
                    break
                assert server.poll() is None, log.read_text()
                time.sleep(0.05)
            address = found[1].decode()  # type: ignore[index]
            urllib.request.urlopen(urllib.request.Request(f"{address}/photos", method="PUT")).close()
            yield address
        finally:
            server.terminate()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind; the folder's path has a space in it."""
    if request.param == "folder":
        return Store((tmp_path / "our photos").as_uri())
    return s3_store(request.getfixturevalue("s3"), prefix=tmp_path.name)


def s3_store(endpoint: str, *, bucket: str = "photos", prefix: str = "city one") -> Store:
    return Store(f"s3://{bucket}/{quote(prefix)}?endpoint={quote(endpoint)}&region=cn-south-1", **KEYS)


def picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.linear_gradient("L").save(out, "PNG")
    return io.BytesIO(out.getvalue())


def test_what_is_put_can_be_got_streamed_listed_and_deleted(store: Store) -> None:
    key, data = new_key(AT, "jpg"), os.urandom(200_000)
    assert not store.exists(key)
    store.put(key, data, content_type="image/jpeg")
    assert store.exists(key)
    assert store.get(key) == data
    chunks = list(store.stream(key))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= storage.CHUNK_BYTES
    [(listed, written_at)] = store.listing()
    assert listed == key
    assert abs(datetime.now(UTC) - written_at) < timedelta(minutes=1)
    store.delete(key)
    assert not store.exists(key)
    store.delete(key)
    assert list(store.listing()) == []


def test_what_is_not_there_is_said_to_be_lost(store: Store) -> None:
    for read in (store.get, store.stream):
        with pytest.raises(NotFound) as refusal:
            read(new_key(AT, "jpg"))
        assert refusal.value.code == "photo_lost"


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../../etc/passwd", "2026/11/21/../../../x.jpg", "2026/11/21/a.jpg", "2026//21/x.jpg",
     f"2026/11/21/{'a' * 32}.jpg\n", f"/2026/11/21/{'a' * 32}.jpg", f"2026/11/21/{'a' * 32}"],
)  # fmt: skip
def test_a_key_that_is_not_ours_never_reaches_the_store(store: Store, key: str) -> None:
    for call in (store.get, store.stream, store.exists, store.delete):
        with pytest.raises(ValueError, match="not a storage key"):
            call(key)
    with pytest.raises(ValueError, match="not a storage key"):
        store.put(key, b"x", content_type="image/jpeg")


def test_keys_lie_by_day_and_are_never_the_same() -> None:
    keys = {new_key(AT, "thumb.jpg") for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"2026/11/21/[0-9a-f]{32}\.thumb\.jpg", key) for key in keys)


def test_what_others_put_into_the_folder_is_not_listed(tmp_path: Path) -> None:
    store = Store(tmp_path.as_uri())
    store.put(new_key(AT, "jpg"), b"x", content_type="image/jpeg")
    (tmp_path / "README.md").write_text("not ours")
    (tmp_path / "2026/11/21/notes.jpg").write_text("not ours either")
    assert len(list(store.listing())) == 1


def test_the_s3_store_is_told_the_content_type(s3: str) -> None:
    key, store = new_key(AT, "jpg"), s3_store(s3)
    store.put(key, b"x", content_type="image/jpeg")
    assert store._open().stat(key).content_type == "image/jpeg"


def test_a_folder_that_cannot_be_made_is_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused_everywhere(Store((tmp_path / "file" / "photos").as_uri()))
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_s3_store_that_is_away_is_storage_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        started = time.monotonic()
        refused_everywhere(s3_store(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert time.monotonic() - started < 15


def test_an_s3_store_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "TIMEOUT_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(Unavailable):
            s3_store(f"http://127.0.0.1:{silent.getsockname()[1]}").put(
                new_key(AT, "jpg"), b"x", content_type="x"
            )
        assert time.monotonic() - started < 6


def test_a_missing_bucket_is_storage_unavailable(s3: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable):
        s3_store(s3, bucket="nothing").put(new_key(AT, "jpg"), b"x", content_type="image/jpeg")
    assert "NoSuchBucket" in caplog.text


def refused_everywhere(store: Store) -> None:
    key = new_key(AT, "jpg")
    for call in (store.get, store.stream, store.exists, store.delete):
        with pytest.raises(Unavailable) as refusal:
            call(key)
        assert (refusal.value.code, refusal.value.status) == ("storage_unavailable", 503)
    with pytest.raises(Unavailable):
        store.put(key, b"x", content_type="image/jpeg")
    with pytest.raises(Unavailable):
        list(store.listing())


def test_a_child_of_a_process_that_used_the_store_is_told_instead_of_hanging(tmp_path: Path) -> None:
    script = f"""
import os
from gridgov.photos.storage import Store
store = Store({(tmp_path / "photos").as_uri()!r})
key = "2026/11/21/{"a" * 32}.jpg"
store.put(key, b"x", content_type="image/jpeg")
child = os.fork()
if child == 0:
    try:
        store.get(key)
    except RuntimeError:
        os._exit(7)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.strip() == "7"


@pytest.mark.parametrize(
    ("url", "keys", "reason"),
    [
        ("http://example.cn/photos", KEYS, "must begin with"),
        ("photos", KEYS, "must begin with"),
        ("file://photos", KEYS, "file:///"),
        ("file://host/photos", KEYS, "file:///"),
        ("s3:///photos", KEYS, "s3://bucket"),
        ("s3://key:secret@bucket/photos", KEYS, "without keys"),
        ("s3://bucket/photos?zone=1", KEYS, "unknown zone"),
        ("s3://bucket/photos", {}, "GRIDGOV_S3_ACCESS_KEY"),
        ("s3://bucket/photos", {"access_key": "a"}, "GRIDGOV_S3_SECRET_KEY"),
    ],
)
def test_a_wrong_address_is_refused_with_its_reason(url: str, keys: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refusal:
        Store(url, **keys)
    assert "GRIDGOV_STORAGE_URL" in str(refusal.value)
    assert "secret@" not in str(refusal.value)


def test_amazon_variables_of_the_machine_are_not_used(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stray")
    monkeypatch.setenv("AWS_REGION", "mars-1")
    key = new_key(AT, "jpg")
    store = s3_store(s3, prefix="own")
    store.put(key, b"x", content_type="image/jpeg")
    assert store.get(key) == b"x"


def test_a_photo_is_taken_and_shown_through_an_s3_store(s3, app, city, monkeypatch) -> None:
    monkeypatch.setattr(settings, "_current", [settings.Settings(s3_store(s3, prefix="taken"), 2**20, 10**7)])
    sender, worker_id = Sender(app), city.worker.id
    sender.sign_in(city.worker)
    photo = sender.photo(picture().getvalue(), worker_id).get_json()
    shown = sender.get(photo["url"], worker_id)
    assert (shown.status_code, shown.content_type) == (200, "image/jpeg")
    assert len(shown.data) == photo["bytes"]
    assert Image.open(io.BytesIO(shown.data)).size == (photo["width"], photo["height"])
    assert Image.open(io.BytesIO(sender.get(photo["thumb_url"], worker_id).data)).format == "JPEG"


def test_the_sweep_removes_old_files_without_a_photo_and_nothing_else(store, city, monkeypatch) -> None:
    monkeypatch.setattr(settings, "_current", [settings.Settings(store, 2**20, 10**7)])
    photo = actions.take(picture(), actor=city.worker)
    orphan, fresh = new_key(AT, "jpg"), new_key(AT, "jpg")
    store.put(orphan, b"x", content_type="image/jpeg")
    store.put(fresh, b"x", content_type="image/jpeg")
    old = datetime.now(UTC) - timedelta(days=2)
    ages = {orphan: old, photo.key: old, photo.thumb_key: old}
    listing = store.listing
    monkeypatch.setattr(store, "listing", lambda: ((key, ages.get(key, at)) for key, at in listing()))
    assert actions.sweep_orphans(timedelta(days=1), dry_run=True) == (4, 1)
    assert store.exists(orphan)
    assert actions.sweep_orphans(timedelta(days=1)) == (4, 1)
    assert [store.exists(k) for k in (orphan, fresh, photo.key, photo.thumb_key)] == [False, True, True, True]


def test_the_sweep_refuses_to_look_at_uploads_under_way(city) -> None:
    with pytest.raises(ValueError, match="under way"):
        actions.sweep_orphans(timedelta(minutes=5))


def test_the_command_counts_orphans_and_removes_them_only_when_told(store, city, monkeypatch) -> None:
    monkeypatch.setattr(settings, "_current", [settings.Settings(store, 2**20, 10**7)])
    orphan = new_key(AT, "jpg")
    store.put(orphan, b"x", content_type="image/jpeg")
    old = datetime.now(UTC) - timedelta(days=8)
    monkeypatch.setattr(store, "listing", lambda: iter([(orphan, old)]))
    counted = CliRunner().invoke(cli.photos, ["sweep"])
    assert (counted.exit_code, store.exists(orphan)) == (0, True)
    removed = CliRunner().invoke(cli.photos, ["sweep", "--delete"])
    assert (removed.exit_code, store.exists(orphan)) == (0, False)
    assert "1" in removed.output
