"""How the set-up runs programs and remembers what is done. Only the standard library of any Python 3."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
MARKS = os.path.join(VENV, "marks")  # A file for each step that succeeded, holding the digest of its inputs.
PR_SET_PDEATHSIG = 1
running = []  # Processes to end when we are.
libc = ctypes.CDLL(None)


class Refused(Exception):
    """The set-up cannot go on; the text is one line for the person at the keyboard."""


def step(title, argv, folder=ROOT):
    """Run a program to its end, quietly; what it said is shown when it fails."""
    begin = time.monotonic()
    process = start(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.communicate()[0].decode("utf-8", "replace")
    running.remove(process)
    if process.returncode:
        lines = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING:")]
        sys.stderr.write("\n".join(lines[-20:]) + "\n")
        raise Refused("%s: %s failed with status %d" % (title, " ".join(argv[:4]), process.returncode))
    say("%s: %.1f s" % (title, time.monotonic() - begin))


def start(argv, **options):
    """Start a program that ends when we end, even by kill -9."""

    def in_child():
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)

    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=in_child, **options
    )
    running.append(process)
    return process


def interrupted(number, frame):
    end_processes()
    os._exit(128 + number)


def end_processes():
    """End every program still at work, with its children."""
    for process in list(running):
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass  # It has just ended by itself.


def say(text):
    print(text, flush=True)


def up_to_date(name, identity, *products):
    return read(os.path.join(MARKS, name)) == identity and all(
        os.path.exists(product) for product in products
    )


def mark(name, identity):
    os.makedirs(MARKS, exist_ok=True)
    write(os.path.join(MARKS, name), identity)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path, text):
    """Write a file whole or not at all."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def digest(parts):
    whole = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode()
        whole.update(b"%d:" % len(content) + content)
    return whole.hexdigest()


def digest_of_files(paths):
    parts = []
    for path in sorted(paths):
        with open(path, "rb") as file:
            parts += [os.path.relpath(path, ROOT), file.read()]
    return digest(parts)
