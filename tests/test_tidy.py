"""The structure that ARCHITECTURE.md draws, held by the code: who imports whom, which doors, which calls are banned."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("gateway", "readers", "config", "simulators")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}

SETTINGS = tuple(module for module in MODULES if re.fullmatch(r"readers\.[a-z0-9]+\.settings", module))

# A module may import what one of the prefixes beside the first matching pattern names, of our own.
MAY_IMPORT = (
    (r"simulators(\..+)?", ("simulators",)),
    (r"config(\..+)?", ("config", "gateway.domain.params", "gateway.domain.countable", *SETTINGS)),
    (r"readers\.(model|driver)", ("readers.model", "readers.driver")),
    (r"readers\.(?P<kind>[a-z0-9]+)(\..+)?", ("readers.model", "readers.driver", "readers.port", "readers.{kind}")),
    (r"gateway\.payloads", ()),
    (r"gateway\.epcis", ("gateway.payloads", "gateway.domain")),
    (r"gateway\.consumer(\..+)?", ("gateway.consumer", "gateway.payloads")),
    (r"gateway\.domain(\..+)?", ("gateway.domain", "readers.model")),
    (r"gateway\.(cli|evaluate)(\..+)?", ("gateway", "readers", "config", "simulators")),
    (r"gateway(\..+)?", ("gateway", "readers", "config")),
    (r"readers", ()),
)
# The central system's embeddable parts.
APACHE = re.compile(r"gateway\.(consumer(\..+)?|payloads)")
# A heavy library stays behind few doors.
DOORS = {
    "sllurp": {"readers.llrp.messages"},
    "zeroconf": {"gateway.announced"},
    "paho": {"gateway.consumer.mqtt", "gateway.consumer.properties"},
    "aiosqlite": {"gateway.ledger", "gateway.consumer.store"},
    "prometheus_client": {"gateway.metrics"},
    "aiohttp": {"gateway.web.server"},
    "iotcore": {"gateway.broker"},
    "serial": {"readers.port.opening"},
    "pymodbus": {"readers.modbus.codec"},
    "pydantic": {
        "gateway.ledger_file",
        "gateway.payloads",
        "gateway.commands",
        "gateway.opening",
        "gateway.consumer.decode",
        "gateway.trace.layouts",
        "simulators.shop.gondola_plan",
        "simulators.shop.plan",
        "simulators.shop.section",
    },
    "rich": {
        "gateway.cli.demo",
        "gateway.cli.progress",
        "gateway.cli.watch",
        "gateway.cli.watch_view",
    },
    "typer": set(),
    "numpy": {"simulators.recording", "simulators.rare"},
}
DOOR_ROOMS = {
    "pydantic": ("config",),
    "typer": ("gateway.cli",),
    "numpy": ("simulators.shop", "simulators.plain", "gateway.evaluate"),
}
SUPERVISOR = "gateway.supervise"


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in MODULES else node.module), node.lineno


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def allowed(module: str) -> list[str]:
    for pattern, prefixes in MAY_IMPORT:
        match = re.fullmatch(pattern, module)
        if match:
            return [prefix.format(**match.groupdict()) for prefix in prefixes]
    raise AssertionError(f"no rule says what {module} may import")


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_its_neighbours(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for name, line in imports(tree):
        if name.split(".", maxsplit=1)[0] in ROOMS:
            assert any(within(name, prefix) for prefix in allowed(module)), f"line {line}: {module} imports {name}"
        library = name.split(".", maxsplit=1)[0]
        if library in DOORS:
            open_to_room = any(within(module, room) for room in DOOR_ROOMS.get(library, ()))
            assert module in DOORS[library] or open_to_room, f"line {line}: {module} is no door to {library}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}
    needs = {module: {name for name, _ in imports(tree) if name in MODULES} for module, tree in trees.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        raise AssertionError(" <- ".join(error.args[1])) from None


@pytest.mark.parametrize("module", MODULES)
def test_calls_nothing_that_is_banned(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            call = f"{owner}.{node.func.attr}"
            # wait_for can swallow a cancellation that meets a result (Python 3.11); a bare task belongs to nobody.
            assert call not in {"asyncio.wait_for", "asyncio.create_task", "asyncio.ensure_future"}, (
                f"line {node.lineno}: {call}"
            )
            assert not (node.func.attr == "create_task" and owner in {"loop", "asyncio"}), f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler) and module != SUPERVISOR:
            names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
            for name in names:
                broad = name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"})
                raises_again = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
                assert not broad or raises_again, f"line {node.lineno}: a broad except that does not raise again"


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "gateway.domain")])
def test_the_domain_is_pure(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree))
    banned = {"asyncio", "logging", "time", "datetime", "random", "os", "socket", "sqlite3"}
    assert not banned & {name.split(".", maxsplit=1)[0] for name, _ in imports(tree)}


@pytest.mark.parametrize("module", [module for module in MODULES if APACHE.fullmatch(module)])
def test_embeddable_parts_say_their_licence(module: str) -> None:
    assert "SPDX-License-Identifier: Apache-2.0" in MODULES[module].read_text(encoding="utf-8")[:200]


def test_the_package_itself_stays_empty() -> None:
    assert (ROOT / "gateway" / "__init__.py").read_text(encoding="utf-8") == ""


def test_every_local_link_of_the_documents_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
