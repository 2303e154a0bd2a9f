"""A check-up of where one is: what is installed, the machine, and whether widgets will render here.

Each part gives lines (:class:`~customlabels_nb.diagnostics.checkup.DiagnosticLine`).
"""

from __future__ import annotations

from customlabels_nb.diagnostics.checkup import Checkup, device, extras, machine, packages

__all__ = ["Checkup", "doctor"]


def doctor() -> Checkup:
    """Look at what is installed, at this machine, and at whether widgets will render here.

    Nothing is changed, and no network is used. In a notebook, the notebook's own server is looked at, which may live
    in another environment than its kernel; at the command line, the JupyterLab that would be started.

    Returns
    -------
    Checkup
        Shows itself; ``.ok`` is False where something needed is missing, ``.table`` has one row a finding, each with
        what to do about it.

    Examples
    --------
    In a notebook, or as ``customlabels-nb doctor`` in a terminal::

        cl.doctor()
    """
    from customlabels_nb.diagnostics.frontends import widgets

    found = list(packages())
    if not any(line.state == "problem" and line.name == "torch" for line in found):
        found += device()
    return Checkup([*found, *machine(), *widgets(), *extras()])
