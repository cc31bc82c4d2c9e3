"""The simulators stand alone: what they get wrong, the gateway cannot get wrong in the same way."""

import ast
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
