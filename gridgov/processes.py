"""Child processes that never outlive us, and what the embedded servers share: folder, lock, sockets, log."""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

STARTING_S = 300.0  # Crash recovery after a power cut replays the log and may take minutes.
STOPPING_S = 30.0
LINGERING_S = 15.0  # How long a server whose parent was killed may take to save its work.
POLL_S = 0.02
LOG_BYTES = 10_000_000
SHORT = Path("/tmp")  # noqa: S108  # A fresh private folder is made in it; TMPDIR may be too long for a socket's address.
TELLING = ("FATAL", "PANIC", "rror:", "Bad file", "Can't", "Could not", "Failed")
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class ServerError(Exception):
    """A server could not be started or reached. The text is one line for the person at the keyboard."""


class AlreadyRunning(ServerError):
    """Another process has the server running on this folder."""


def spawn(
    argv: Sequence[str | Path], *, death_signal: int = signal.SIGTERM, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that gets `death_signal` when this process ends, even by kill -9.

    The kernel ties that signal to the thread that forks: call this from one that lives as long as the child.
    """
    parent = os.getpid()

    def in_child() -> None:  # Runs after the change of account, which would clear the death signal again.
        die_with_parent(parent, death_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())

    arguments = [str(part) for part in argv]
    settings = {"stdin": subprocess.DEVNULL, "start_new_session": True, "preexec_fn": in_child, **options}
    return subprocess.Popen(arguments, **settings)


def die_with_parent(parent: int, death_signal: int = signal.SIGTERM) -> None:
    """Ask the kernel for `death_signal` when `parent`, which made us, ends; end now if it already has."""
    _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """From now on grandchildren whose parent dies become our children, to be found and stopped."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to; one that has grown too big is put aside first."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def last_words(path: Path, begin: int = 0) -> str:
    """Why a process ended, in one line, from what it wrote to its log after byte `begin`.

    The first telling line names the cause; later ones name its consequences.
    """
    with path.open("rb") as log:
        log.seek(begin)
        lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in TELLING)]
    return f"{(telling or lines[-1:] or ['it said nothing'])[0]} (the log is {path})"


def describe(error: OSError) -> str:
    """An operating system's refusal in a few words: what and where."""
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def name_of(uid: int) -> str:
    """The account's name, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def lock(fd: int, *, wait: bool = False) -> bool:
    """Take the exclusive lock on an open file or folder; False when another process has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


class Server(ABC):
    """A server on a data folder, with a unix socket in a private folder: no port taken, no path too long.

    It inherits the descriptor that locks its folder. So whoever can take the lock knows that none is running.
    """

    name = ""
    socket_name = ""
    stop_signal = signal.SIGTERM
    hurry_signal = signal.SIGKILL

    def __init__(self, directory: Path | str, *, pause: Callable[[float], None] = time.sleep) -> None:
        """directory: holds the data, made when absent. pause: called while waiting; may raise to give up."""
        self.directory = Path(directory).absolute()
        self.log = self.directory.with_name(f"{self.directory.name}.log")
        self.process: subprocess.Popen[bytes] | None = None
        self.sockets: Path | None = None
        self._pause = pause
        self._fd = -1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def socket(self) -> Path:
        """Where it listens. Raises ServerError while it does not run."""
        if self.sockets is None:
            raise ServerError(f"{self.name} is not running.")
        return self.sockets / self.socket_name

    def start(self) -> None:
        """Prepare the folder, start the server, return when it answers. Raises ServerError, all undone."""
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            self._prepare()
            self._open_sockets()
            self.restart()
        except OSError as error:
            self.stop()
            raise ServerError(
                f"{self.name} cannot be set up in {self.directory}: {describe(error)}."
            ) from error
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """Start the process on the folders already open, as after it died. The address stays the same."""
        with open_log(self.log) as log:
            begin = log.seek(0, os.SEEK_END)
            self.process = self._spawn(log)
        end = time.monotonic() + STARTING_S
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise ServerError(f"{self.name} does not start: {last_words(self.log, begin)}")
            self._pause(POLL_S)

    def stop(self) -> None:
        """Stop the server, first asking, then telling, and release the folders. Nothing if not running."""
        if self.process is not None:
            for number, patience_s in (
                (self.stop_signal, STOPPING_S),
                (self.hurry_signal, 5.0),
                (signal.SIGKILL, None),
            ):
                self.process.send_signal(number)
                try:
                    self.process.wait(patience_s)
                    break
                except subprocess.TimeoutExpired:
                    continue
            self.process = None
        if self.sockets is not None:
            shutil.rmtree(
                self.sockets, ignore_errors=True
            )  # The server may be taking its socket away itself.
            self._note.unlink(missing_ok=True)
            self.sockets = None
        if self._fd >= 0:
            os.close(
                self._fd
            )  # Never LOCK_UN: a process still holding the descriptor keeps the lock, as it should.
            self._fd = -1

    def join(self) -> bool:
        """Take the address of the server that another process runs on this folder; False if there is none."""
        end = time.monotonic() + STARTING_S
        while self._held():
            if self._note.exists():
                self.sockets = Path(self._note.read_text(encoding="utf-8"))
                if self._ready():
                    return True
            if time.monotonic() > end:
                raise ServerError(
                    f"{self.name} in {self.directory} is held by another process and does not answer."
                )
            self._pause(POLL_S * 5)
        self.sockets = None
        return False

    def leave(self) -> None:
        """Forget a server that was joined; it goes on running."""
        self.sockets = None

    @property
    def _note(self) -> Path:
        """Says where the running server's sockets are: to who joins, and to the clean-up after a crash."""
        return self.directory.with_name(f"{self.directory.name}.sockets")

    def _held(self) -> bool:
        try:
            fd = self._open(self.directory)
        except FileNotFoundError:
            return False
        try:
            return not lock(fd)
        finally:
            os.close(fd)

    def _open(self, folder: Path) -> int:
        try:
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError as error:
            place = folder if os.access(folder.parent, os.X_OK) else folder.parent
            owner = name_of(place.stat().st_uid)
            raise ServerError(
                f"{place} belongs to {owner}: run as {owner} or as root, or set GRIDGOV_VAR."
            ) from error

    def _take(self, folder: Path) -> int:
        """Open and lock a folder. Raises AlreadyRunning when a server is on it."""
        fd = self._open(folder)
        end = time.monotonic() + LINGERING_S
        while not lock(fd):
            if time.monotonic() > end:
                os.close(fd)
                raise AlreadyRunning(
                    f"{self.name} is already running on {self.directory}, started by another process."
                )
            self._pause(POLL_S)
        return fd

    def _prepare(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self._fd = self._take(self.directory)

    def _open_sockets(self) -> None:
        """Make the private folder for the socket, and remove the one that a killed run left behind."""
        base = SHORT if os.access(SHORT, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
        if self._note.exists():
            stale = Path(self._note.read_text(encoding="utf-8"))
            if stale.parent == base and stale.name.startswith("gridgov-"):
                shutil.rmtree(stale, ignore_errors=True)  # It may be gone already, with the rest of /tmp.
        self.sockets = Path(tempfile.mkdtemp(prefix="gridgov-", dir=base))
        self._note.write_text(str(self.sockets), encoding="utf-8")

    @abstractmethod
    def _ready(self) -> bool:
        """Whether it answers."""

    @abstractmethod
    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start its program."""
