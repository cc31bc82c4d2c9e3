"""The simulators stand alone: what they get wrong, the gateway cannot get wrong in the same way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import simulators

ROOT = Path(simulators.__file__).parent
FORBIDDEN = {"readers", "gateway", "config", "sllurp", "epcpy"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_nothing_that_it_is_to_judge(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & FORBIDDEN


def test_the_demo_needs_nothing_from_the_lab() -> None:
    """numpy and matplotlib are for who simulates and scores; a gateway is installed without them."""
    code = """
import sys
sys.modules["numpy"] = sys.modules["matplotlib"] = None
import gateway.cli.demo, gateway.cli.run
from gateway.cli import main
sys.argv = ["tallygate", "--help"]
main()
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "demo" in said.stdout
