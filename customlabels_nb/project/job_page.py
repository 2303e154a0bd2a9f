"""Serve the labelling screen of a job as a web page for people who write no code, with Voilà."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.installing import extra_command, install_command
from customlabels_nb._utils.rendering import TEMPLATES, render
from customlabels_nb.errors import CustomLabelsError, InputError, MissingDependencyError
from customlabels_nb.jobs.personal_links import ADDRESS, find_person, hash_secret
from customlabels_nb.project.projects import load_project
from customlabels_nb.store.network_disks import refuse_network_disk
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from customlabels_nb.jobs.job import LabellingJob
    from customlabels_nb.project.project import Project

HUB_VARIABLE = "JUPYTERHUB_SERVICE_URL"
_PORT, _OTHER_PORTS = 8866, 50
_PERSONAL = "link "  # how the identities of visitors with a personal link begin
_GONE_SECONDS = 900  # a computer may sleep so long before the kernel of its page is stopped
_EXTENSIONS = ["anywidget", "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]
_WRITTEN_FOLDERS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
_EVERYWHERE = ("", "0.0.0.0", "::")
_KERNEL_ID = re.compile(r"\w+(-\w+){4}")
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
_CODE: dict[str, Any] = {
    "cell_type": "code",
    "id": "job",
    "execution_count": None,
    "metadata": {},
    "outputs": [],
    "source": "",
}
_NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "cells": [_CODE]}
_CELL = "from customlabels_nb.project.job_page import show_job\nshow_job({folder!r}, {job!r}, {person!r})"


def serve_job(
    folder: str | os.PathLike[str],
    job: str,
    host: str | None = None,
    port: int | None = None,
    *,
    only_personal: bool = False,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve the labelling screen of a job until the process is interrupted, and announce its link in one line.

    Every page that is opened has a kernel of its own, which ends when the page is closed. Nothing is written outside of
    the project, except for a temporary folder. Visitors need the token in the link, and are asked for their names. With
    a link from ``job.invite``, they label with the name that it was made for. ``only_personal`` serves only these.
    Without ``host`` and ``port``, JupyterHub chooses the address of its services and users' servers, and its users
    label with their names there. Elsewhere the page is on port 8866, or a free one near it, for this computer.

    Raises MissingDependencyError if Voilà is not installed, and InputError if there is no such job, or the address
    cannot be used.
    """
    if port is not None:
        check_integer("port", port, 1, 2**16 - 1)
    try:
        from traitlets.config import Config
        from voila.app import Voila
    except ImportError as error:
        needed = f"The page of a labelling job needs the package voila. Install it: {extra_command('voila')}"
        raise MissingDependencyError(needed) from error
    with closing(load_project(folder)) as project:
        refuse_network_disk(project._store)  # whoever serves the page can change that, not who labels
        _serve(project, project.jobs[job], Voila, Config(), host, port, only_personal, announce)


def _serve(
    project: Project,
    job: LabellingJob,
    voila: Any,
    config: Any,
    host: str | None,
    port: int | None,
    only_personal: bool,
    announce: Callable[[str], None],
) -> None:
    name, root = job.name, str(project.root)
    behind_hub = bool(os.environ.get(HUB_VARIABLE)) and host is None and port is None

    class JobServer(voila):
        def init_handlers(self) -> list[Any]:
            return [(path, _for_own_kernels(handler), *rest) for path, handler, *rest in super().init_handlers()]

        def launch_browser(self) -> None:
            """Announce the page, now that the port is known."""
            origin = _origin(self.ip, self.port)
            if behind_hub:
                announce(f"JupyterHub shows {name!r} at {self.base_url}")
                return
            if not project._store.read_only:
                project._store.change_setting(f"{ADDRESS} {job._id}", lambda _: origin)
            pages = f"Personal links to {origin} show" if only_personal else f"{origin}/?token={self.token} shows"
            announce(f"{pages} the labelling screen of {name!r}. Stop with Ctrl+C.")

        def exit(self, exit_status: int = 0) -> None:
            raise InputError(f"Port {self.port} of {self.ip!r} cannot be used. Choose another one with --port.")

    def prepare(request: Any, notebook: Any, cwd: str) -> None:
        person = request.current_user.username if behind_hub else _person_of_link(request.current_user)
        notebook.cells[0].source = _CELL.format(folder=root, job=name, person=person)
        request.xsrf_token  # noqa: B018 - sets the cookie with which a closed page stops its kernel

    config.Voila.update(
        config_file_paths=[], log_level="ERROR", ip=host or "127.0.0.1", port=port or _PORT,
        port_retries=0 if port else _OTHER_PORTS, token=secrets.token_urlsafe(16),
        identity_provider_class=_link_holders(job),
    )  # fmt: skip
    config.VoilaConfiguration.update(
        prelaunch_hook=prepare, kernel_spec_manager_class=_own_python(), allow_template_override="NO",
        file_allowlist=[], extension_allowlist=_EXTENSIONS, multi_kernel_manager_class=_kernels_of_visitors(),
    )  # fmt: skip
    config.VoilaExporter.template_file = "job_page.html.j2"
    config.MappingKernelManager.update(cull_idle_timeout=_GONE_SECONDS, cull_interval=60)
    if behind_hub:
        _join_hub(config.Voila)
    logging.getLogger("tornado").setLevel("ERROR")  # its warnings name the URLs of requests, which have ids of kernels
    with TemporaryDirectory(prefix="customlabels_nb-", ignore_cleanup_errors=True) as temporary:
        path = Path(temporary) / f"{name}.ipynb"
        path.write_text(json.dumps({**_NOTEBOOK, "metadata": {"title": name, "kernelspec": _KERNEL}}), encoding="utf-8")
        config.Voila.update(notebook_path=str(path), connection_dir_root=temporary)
        os.environ |= dict.fromkeys(_WRITTEN_FOLDERS, temporary)
        server = JobServer(config=config)
        server.initialize([])
        server.template_paths.append(str(TEMPLATES))
        try:
            server.start()
        except OSError as error:
            if error.filename is not None:
                raise
            shown = f"The page cannot be served at {server.ip!r}: {error.strerror}."
            raise InputError(f"{shown} Choose an address of this computer with --host.") from error


def _link_holders(job: LabellingJob) -> type:
    """Return an identity provider for a personal link, whose hash is in the cookie, or the server's token."""
    from jupyter_server.auth.identity import PasswordIdentityProvider, User
    from tornado.web import RequestHandler

    class Refused(RequestHandler):
        def get(self) -> None:
            """Tell visitors without a valid link whom to ask, instead of asking them for a password."""
            self.finish(render("refused.html"))

    class LinkHolders(PasswordIdentityProvider):
        def get_handlers(self) -> list[Any]:
            return [(r"/login", Refused)]

        async def get_user_token(self, handler: Any) -> User | None:
            secret = self.get_token(handler)
            hashed = hash_secret(secret) if secret else ""
            person = find_person(job._store, job._id, hashed) if hashed else None
            if person is not None:
                return User(_PERSONAL + hashed, person, person)
            return await super().get_user_token(handler)

        def user_from_cookie(self, cookie_value: str) -> User | None:
            user = super().user_from_cookie(cookie_value)
            if user is None or not user.username.startswith(_PERSONAL):
                return user
            person = find_person(job._store, job._id, user.username.removeprefix(_PERSONAL))
            return None if person is None else User(user.username, person, person)

    return LinkHolders


def _person_of_link(user: Any) -> str:
    """Return the name of a visitor with a personal link, or an empty string."""
    return str(user.name) if user.username.startswith(_PERSONAL) else ""


def _kernels_of_visitors() -> type:
    """Return a class of kernel managers that keep the user name of the visitor for whom a kernel was started."""
    from jupyter_server import CallContext
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

    class Kernels(AsyncMappingKernelManager):
        visitors: ClassVar[dict[str, str]] = {}  # by the ids of the kernels

        def new_kernel_id(self, **options: Any) -> str:
            kernel = super().new_kernel_id(**options)
            self.visitors[kernel] = CallContext.get(CallContext.JUPYTER_HANDLER).current_user.username
            return kernel

    return Kernels


def _for_own_kernels(handler: Any) -> Any:
    """Return a class of request handlers that refuse the id of a kernel in the path, unless it is the visitor's own."""
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.web import HTTPError, RequestHandler

    if not issubclass(handler, JupyterHandler):  # static files, and the page without a valid link
        return handler

    class OwnKernels(handler):
        write_error = RequestHandler.write_error  # Jupyter's needs files that Voilà does not serve

        async def prepare(self, *args: Any, **options: Any) -> None:
            await super().prepare(*args, **options)
            for kernel in filter(_KERNEL_ID.fullmatch, [*self.path_args, *self.path_kwargs.values()]):
                if self.current_user is None or self.kernel_manager.visitors.get(kernel) != self.current_user.username:
                    raise HTTPError(403)

    return OwnKernels


def _own_python() -> type:
    """Return a class of kernel specifications that knows only the current Python."""
    from jupyter_client.kernelspec import KernelSpecManager
    from traitlets import default

    class OwnPython(KernelSpecManager):
        @default("kernel_dirs")
        def _native_only(self) -> list[str]:
            return []

        def get_kernel_spec(self, kernel_name: str) -> Any:
            spec = super().get_kernel_spec(kernel_name)
            spec.argv.append("--log-level=40")
            return spec

    return OwnPython


def _join_hub(options: Any) -> None:
    """Let JupyterHub choose the address and authenticate the users, in Voilà's options."""
    try:
        from jupyterhub import __version__
        from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
        from jupyterhub.utils import url_path_join
    except ImportError as error:
        needed = (
            f"Behind JupyterHub, the page needs the package jupyterhub. Install it: {install_command('jupyterhub')}"
        )
        raise MissingDependencyError(needed) from error
    address, prefix = urlsplit(os.environ[HUB_VARIABLE]), os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")

    class HubUsers(JupyterHubIdentityProvider):
        def get_handlers(self) -> list[Any]:
            return [(url_path_join(prefix, path), *rest) for path, *rest in super().get_handlers()]

    options.update(
        ip=address.hostname or "", port=address.port or 80, port_retries=0, base_url=prefix, token=None,
        auto_token=True, identity_provider_class=HubUsers,
        tornado_settings={"headers": {"X-JupyterHub-Version": __version__}},
    )  # fmt: skip


def _origin(host: str, port: int) -> str:
    name = socket.gethostname() if host in _EVERYWHERE else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def show_job(folder: str, job: str, person: str = "") -> Any:
    """Return what the page of a job shows: the screen of a person, a question who they are, or why there is none."""
    try:
        if person:  # an exact name, not one that somebody typed
            os.environ.pop("CUSTOMLABELS_NB_USER", None)
            os.environ["JUPYTERHUB_USER"] = settings.user = person
        return load_project(folder).jobs[job].label(ask=not person)
    except CustomLabelsError as error:
        from IPython.display import HTML

        from customlabels_nb.widgets.static_fallback import still_html

        return HTML(still_html(str(error)))  # type: ignore[no-untyped-call]
