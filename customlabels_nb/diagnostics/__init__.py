"""Check the installation, the machine, and whether widgets will render.

Each check yields lines (:class:`~customlabels_nb.diagnostics.checkup.DiagnosticLine`).
"""

from __future__ import annotations

from customlabels_nb.diagnostics.checkup import Checkup, device, extras, machine, packages

__all__ = ["Checkup", "doctor"]


def doctor() -> Checkup:
    """Check the installed packages, this machine, and whether widgets will render.

    Nothing is changed, and no network is used. In a notebook, the notebook's own server is checked, which may run in
    another environment than its kernel. At the command line, it is the JupyterLab that would be started.

    Returns
    -------
    Checkup
        Displays itself. ``.ok`` is False if something required is missing. ``.table`` has one row per finding, each
        with advice.

    Examples
    --------
    In a notebook, or as ``customlabels-nb doctor`` in a terminal:

    >>> checkup = cl.doctor()  # doctest: +SKIP
    >>> checkup.ok  # doctest: +SKIP
    True
    """
    from customlabels_nb.diagnostics.frontends import widgets

    found = list(packages())
    if not any(line.state == "problem" and line.name == "torch" for line in found):
        found += device()
    return Checkup([*found, *machine(), *widgets(), *extras()])
