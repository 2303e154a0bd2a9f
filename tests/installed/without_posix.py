"""Take away what only POSIX systems have, and run a module: ``python -m tests.installed.without_posix MODULE``.

Locks of Windows are replaced by those of a fake ``msvcrt``, and files that Windows does not replace cause its errors.
"""

from __future__ import annotations

import builtins
import io
import os
import runpy
import signal
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "posix_ipc")
OF_OS = (
    "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getuid", "killpg",
    "mkfifo", "nice", "setsid", "sched_getaffinity", "statvfs", "O_DIRECTORY", "O_NOFOLLOW",
    "O_NONBLOCK",
)  # fmt: skip
OF_SIGNAL = ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGALRM", "SIGSTOP", "setitimer")
LINUX_FOLDERS = ("/proc/", "/sys/", "/dev/")
ALLOWED = ("/dev/null", "/dev/urandom")


def take_away() -> None:
    """Take away modules and functions from this package, and parts of the file system from this process.

    Other packages keep them, because those that are installed here are the ones for this system.
    """
    os.replace = os.rename = without_mapped(os.replace)
    os.symlink = os.link = refusing  # type: ignore[assignment]
    os.open = without_folders(os.open)
    io.open = builtins.open = without_linux(io.open)  # type: ignore[assignment]
    builtins.__import__ = without_modules(builtins.__import__)  # type: ignore[assignment]
    os.__class__, signal.__class__ = without(OF_OS), without(OF_SIGNAL)


def of_package() -> bool:
    """Check whether the caller's caller, or the caller of pathlib if it is that, belongs to this package."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("pathlib"):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("customlabels_nb")


def without(names: tuple[str, ...]) -> type[ModuleType]:
    """Return a class of modules that do not have these names for this package."""

    class Reduced(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            if name in names and of_package():
                raise AttributeError(name)
            return super().__getattribute__(name)

    return Reduced


def without_modules(real: Callable[..., Any]) -> Callable[..., Any]:
    msvcrt = fake_msvcrt()

    def imported(name: str, *rest: Any, **options: Any) -> Any:
        if name == "msvcrt" and of_package():
            return msvcrt
        if name in MODULES and of_package():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **options)

    return imported


def refusing(*_: Any, **__: Any) -> Any:
    raise OSError(22, "A required privilege is not held by the client")


def without_folders(real: Callable[..., int]) -> Callable[..., int]:
    def opened(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if of_package() and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, *rest, **options)

    return opened


def without_linux(real: Callable[..., Any]) -> Callable[..., Any]:
    def opened(file: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(file, str | os.PathLike):
            name = os.fsdecode(file)
            if name.startswith(LINUX_FOLDERS) and name not in ALLOWED and of_package():
                raise FileNotFoundError(2, "No such file or directory", name)
        return real(file, *rest, **options)

    return opened


def without_mapped(real: Callable[..., None]) -> Callable[..., None]:
    """Refuse to replace a file that this process has open or mapped, and to move a folder with such a file."""
    listed = os.listdir
    maps = open("/proc/self/maps", "rb", buffering=0, opener=None)  # noqa: SIM115 - read again and again

    def used() -> list[str]:
        maps.seek(0)
        mapped = [line.split(maxsplit=5)[-1].strip().decode() for line in maps.readall().splitlines() if b" /" in line]
        opened = []
        for number in listed("/proc/self/fd"):
            try:
                opened.append(os.readlink(f"/proc/self/fd/{number}"))
            except OSError:
                continue
        return [*mapped, *opened]

    def replaced(source: Any, target: Any, *rest: Any, **options: Any) -> None:
        names = [os.path.abspath(os.fsdecode(each)) for each in (source, target)]
        for path in used():
            if any(path == name or path.startswith(f"{name}/") for name in names):
                raise PermissionError(13, f"The file is being used by this process: {path}", names[0], 32, names[1])
        real(source, target, *rest, **options)

    return replaced


def fake_msvcrt() -> ModuleType:
    import fcntl

    module: Any = ModuleType("msvcrt")
    module.LK_NBLCK, lockf, flags = 2, fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB

    def locking(descriptor: int, mode: int, count: int) -> None:
        try:
            lockf(descriptor, flags)
        except BlockingIOError as error:
            raise PermissionError(13, "Permission denied") from error

    module.locking = locking
    return module  # type: ignore[no-any-return]


if __name__ == "__main__":
    take_away()
    runpy.run_module(sys.argv[1], run_name="__main__")
