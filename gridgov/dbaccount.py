"""The account that runs PostgreSQL when root runs us, and the programs where that account can reach them.

PostgreSQL refuses to run as root. The clone may lie in a folder closed to others, as /root is. No folder is
opened for our sake, so the programs are copied once to /var/cache/gridgov.
Why: docs/decisions/0002-embedded-servers.md.
"""

import hashlib
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from gridgov.processes import ServerError

ACCOUNT = "gridgov-db"
PROGRAMS = Path("/var/cache/gridgov")
MADE_MEANWHILE = 9  # The exit status of useradd when the account exists.


def for_data(directory: Path) -> pwd.struct_passwd:
    """Who shall run the server on a data folder: its owner, unless that is root or it is not there yet."""
    uid = directory.stat().st_uid if directory.exists() else 0
    if uid == 0:
        return _account()
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        raise ServerError(f"{directory} belongs to the user id {uid}, which has no account here.") from error


def reachable(installed: Path) -> Path:
    """The folder of the server's programs if every account can run them there, else a copy. For root only."""
    return installed if _open_to_all(installed) else _copy(installed)


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        _make_account()
    return pwd.getpwnam(ACCOUNT)


def _make_account() -> None:
    options = [
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    ]
    try:
        made = subprocess.run(["useradd", *options, ACCOUNT], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ServerError(
            f"Root cannot run PostgreSQL, and useradd, to make the account {ACCOUNT}, is missing."
        ) from error
    if made.returncode not in (0, MADE_MEANWHILE):
        reason = (made.stderr.strip().splitlines() or [f"useradd ended with status {made.returncode}"])[-1]
        raise ServerError(
            f"Root cannot run PostgreSQL, and the account {ACCOUNT} for it cannot be made: {reason}"
        )


def _open_to_all(folder: Path) -> bool:
    """Whether any account can reach and run the programs in the folder, by the permission bits."""
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.parents):
        return False
    needed = {
        "bin": 0o5,
        "bin/postgres": 0o5,
        "lib": 0o5,
        "share/postgresql": 0o5,
        "share/postgresql/postgres.bki": 0o4,
    }
    return all((folder / name).stat().st_mode & bits == bits for name, bits in needed.items())


def _copy(installed: Path) -> Path:
    """Copy the server once for each build of it; about 30 MB."""
    package = installed.parent
    with (installed / "bin" / "postgres").open("rb") as program:
        copy = PROGRAMS / f"postgresql-{hashlib.file_digest(program, 'sha256').hexdigest()[:16]}"
    inside = copy / package.name / installed.name
    if copy.exists():
        return inside
    PROGRAMS.mkdir(mode=0o755, parents=True, exist_ok=True)
    PROGRAMS.chmod(0o755)  # Whatever the umask is.
    growing = Path(tempfile.mkdtemp(dir=PROGRAMS))
    unused = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(installed, growing / package.name / installed.name, symlinks=True, ignore=unused)
    # The programs find the libraries that came along by the way from themselves to this folder.
    shutil.copytree(package.with_name(f"{package.name}.libs"), growing / f"{package.name}.libs")
    for path in (growing, *growing.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        growing.rename(copy)
    except OSError:  # Another process was first with the same copy.
        shutil.rmtree(growing)
    return inside
