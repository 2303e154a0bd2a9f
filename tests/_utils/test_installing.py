"""Tests of the commands that install missing packages."""

from __future__ import annotations

import re
import sys

from customlabels_nb._utils.installing import extra_command, install_command


def test_an_extra_is_installed_by_its_own_packages() -> None:
    """Test that a checkout, which has no release with extras, installs the packages of the extra."""
    assert re.search(r' "psycopg\[binary\]>=[\d.]+"$', extra_command("postgres"))
    assert re.search(r' "onnx>=[\d.]+" "onnxruntime>=[\d.]+" "onnxscript>=[\d.]+"$', extra_command("onnx"))
    assert extra_command("onnx", ["onnxruntime"]).count('"') == 2


def test_the_command_is_for_the_environment_that_lacks_the_package() -> None:
    assert sys.executable in install_command("av")
    here = "/env/bin/python"
    assert install_command("av", python=here, has_pip=True) == f"{here} -m pip install av"
    assert install_command("-U", "av", python=here, has_pip=False) == f"uv pip install --python {here} -U av"


def test_install_command_is_quoted_for_any_shell() -> None:
    said = install_command("av>=16", "x[y]", python="/My Projects/bin/python", has_pip=True)
    assert said == '"/My Projects/bin/python" -m pip install "av>=16" "x[y]"'
    assert install_command("av", python=r"C:\env\Scripts\python.exe", has_pip=True).startswith(
        r"C:\env\Scripts\python.exe -m"
    )
