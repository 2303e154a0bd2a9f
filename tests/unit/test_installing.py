"""The commands that install what isn't here."""

from __future__ import annotations

import re
import sys

from customlabels_nb.installing import extra_command, install_command


def test_an_extra_is_installed_by_its_own_packages() -> None:
    """Whoever works in a checkout finds no release of ours to install an extra of."""
    assert re.search(r" 'psycopg\[binary\]>=[\d.]+'$", extra_command("postgres"))
    assert re.search(r" 'onnx>=[\d.]+' 'onnxruntime>=[\d.]+' 'onnxscript>=[\d.]+'$", extra_command("onnx"))
    assert extra_command("onnx", ["onnxruntime"]).count("'") == 2


def test_the_command_is_for_the_environment_that_lacks_the_package() -> None:
    assert sys.executable in install_command("av")
    assert install_command("av", "/env/bin/python", has_pip=True) == "/env/bin/python -m pip install av"
    assert install_command("av", "/env/bin/python", has_pip=False) == "uv pip install --python /env/bin/python av"
