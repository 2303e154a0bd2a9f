"""Diagnose the installation, the machine, and whether widgets will render.

Each check yields lines of the report (:class:`~customlabels_nb.diagnostics.checkup.DiagnosticLine`).
"""

from __future__ import annotations

from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.diagnostics.checkup import Checkup, device, extras, machine, packages, pretrained

__all__ = ["Checkup", "doctor"]


@names_arguments
def doctor() -> Checkup:
    """Check the installed packages, this machine, and whether widgets will render.

    Nothing is changed, and the network is not used. In a notebook, this checks the Jupyter server of the notebook,
    which may run in a different environment from its kernel. At the command line, it checks the JupyterLab that would
    be started.

    Returns
    -------
    Checkup
        Diagnostic report, which displays itself. ``.ok`` is False if something required is missing. ``.table`` has one
        row per finding, with advice.

    Examples
    --------
    In a notebook, or as ``customlabels-nb doctor`` in a terminal:

    >>> checkup = cl.doctor()  # doctest: +SKIP
    >>> checkup.ok  # doctest: +SKIP
    True
    """
    from customlabels_nb.diagnostics.frontends import widgets

    lines = list(packages())
    if not any(line.state == "problem" and line.name == "torch" for line in lines):
        lines += device()
    return Checkup([*lines, *machine(), *widgets(), *extras(), *pretrained()])
