"""Kernels that are forked from a process with the imports done, which take longer than most tests.

`python -m tests.forked_kernels SOCKET [MODULE ...]` is that process. What a Jupyter server or a client starts as kernel
is this file as a script, which passes its arguments, working folder and environment on, forwards signals, and ends with
the kernel.
"""

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

IMPORTS = """anywidget ipykernel.ipkernel ipykernel.kernelapp numpy pandas PIL.Image sklearn.linear_model sqlalchemy
torch torchvision customlabels_nb.project.project customlabels_nb.project.projects customlabels_nb.project.screens
customlabels_nb.widgets.annotator customlabels_nb.widgets.dashboard customlabels_nb.widgets.gallery
customlabels_nb.widgets.review"""
_LARGEST = 2**20  # bytes of a request


def client(address: str, file: str, *options: str) -> int:
    """Ask for a kernel with this connection file, and return its exit status when it has ended."""
    forwarded = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        asked = {"arguments": ["-f", file, *options], "folder": os.getcwd(), "env": dict(os.environ)}
        request = json.dumps(asked).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(request)
        kernel = int.from_bytes(connection.recv(4), "big")
        known = Path(file).with_suffix(".pid")
        known.write_text(str(kernel), encoding="ascii")
        for number in forwarded:
            signal.signal(number, lambda number, _: os.killpg(kernel, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, forwarded)
        status = int.from_bytes(connection.recv(1) or b"\1", "big")
        known.unlink(missing_ok=True)
        return status


def serve(address: str) -> dict[str, str]:
    """Fork a kernel for each request. Return only in the kernels, with what was requested."""
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    kernels: dict[socket.socket, int] = {}
    while True:
        for ready in select.select([listening, wake, sys.stdin, *kernels], [], [])[0]:
            if ready is listening:
                connection, _ = listening.accept()
                size, files, *_ = socket.recv_fds(connection, 4, 3)
                request = b""
                while len(request) < int.from_bytes(size, "big"):
                    request += connection.recv(_LARGEST)
                if kernel := os.fork():
                    for file in files:
                        os.close(file)
                    kernels[connection] = kernel
                    connection.sendall(kernel.to_bytes(4, "big"))
                    continue
                os.setsid()
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                for inherited in (listening, wake, woken, connection, *kernels):
                    inherited.close()
                return json.loads(request)
            if ready is sys.stdin:  # closed by the tests, which have ended
                os._exit(0)  # some libraries report leaks at the end
            if ready is wake:
                wake.recv(_LARGEST)
                for connection, kernel in list(kernels.items()):
                    found, status = os.waitpid(kernel, os.WNOHANG)
                    if found:
                        code = os.waitstatus_to_exitcode(status)
                        connection.send((code if code >= 0 else 128 - code).to_bytes(1, "big"))
                        connection.close()
                        del kernels[connection]
            elif ready in kernels:  # the client was killed
                os.killpg(kernels[ready], signal.SIGKILL)
                os.waitpid(kernels.pop(ready), 0)
                ready.close()


def main(address: str, *modules: str) -> None:
    """Import the modules, fork kernels, and be one in the forked processes."""
    import gc
    from importlib import import_module

    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # read when ipykernel is imported
    for name in [*IMPORTS.split(), *modules]:
        import_module(name)
    gc.collect()
    gc.freeze()
    request = serve(address)
    os.environ.clear()
    os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
    os.chdir(request["folder"])
    sys.argv = ["ipykernel_launcher", *request["arguments"]]
    sys.path.remove(str(Path(__file__).resolve().parent.parent))
    import numpy as np
    import pandas as pd
    from ipykernel.kernelapp import IPKernelApp

    from customlabels_nb.user_settings import Settings, settings

    pd.set_option("display.max_columns", 20)  # unlimited if pandas is imported outside of a kernel
    vars(settings).update(vars(Settings()))
    np.random.seed()
    IPKernelApp.launch_instance()


if __name__ == "__main__":
    if __spec__ is None:
        sys.exit(client(*sys.argv[1:]))
    main(*sys.argv[1:])
