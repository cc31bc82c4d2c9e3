"""The commented example and the JSON Schema say what the models do."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from config import load
from config.models import ConfigFile
from config.schema import SCHEMA_PATH, schema_text
from gateway.domain.params import PROFILES, PresenceParams, Profile
from readers.llrp.settings import LlrpSettings

EXAMPLE = SCHEMA_PATH.with_name("example.toml")
DEFAULT = re.compile(r"^# (?P<key>[a-z0-9_]+) = (?P<value>.+)$")
MENTIONED = re.compile(r"(?:^(?:#\s+)?|[{,] )(?P<key>[a-z0-9_]+) = ", re.MULTILINE)


def documented_defaults() -> dict[tuple[str, str], Any]:
    """(section, key) -> value of every line that is commented out with `# `."""
    found: dict[tuple[str, str], Any] = {}
    section = ""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif match := DEFAULT.match(line):
            found[section, match["key"]] = tomllib.loads(f"x = {match['value']}")["x"]
    return found


def test_the_example_loads_without_a_warning() -> None:
    config = load(EXAMPLE, {})
    assert config.warnings == ()
    assert [zone.id for zone in config.zones] == ["floor", "door"]
    assert config.readers[0].settings.per_antenna[3].power_dbm == 21.5


def test_documented_defaults_are_the_defaults() -> None:
    documented = documented_defaults()
    assert len(documented) > 25
    llrp = {field.name: field.default for field in fields(LlrpSettings)}
    for (section, key), value in documented.items():
        if section == "zones":
            actual = Profile.RACK if key == "profile" else getattr(PROFILES[Profile.RACK], key)
        elif section == "readers":
            actual = llrp[key]
        else:
            model = ConfigFile.model_fields[section].annotation
            assert isinstance(model, type)
            assert issubclass(model, BaseModel)
            actual = model.model_fields[key].default
        if isinstance(actual, (tuple, frozenset)):
            actual = list(actual)
        assert (section, key, value) == (section, key, actual)
        assert type(value) is type(actual) or isinstance(actual, str)


def test_the_example_tells_every_key() -> None:
    mentioned = {match["key"] for match in MENTIONED.finditer(EXAMPLE.read_text())}
    keys = {field.name for field in fields(PresenceParams)}
    for model in _models(ConfigFile):
        keys |= {name for name in model.model_fields if model is not ConfigFile}
    assert keys - mentioned == {"antenna", "channels"}  # they have tables of their own
    assert "[readers.antenna.3]" in EXAMPLE.read_text()
    assert "[[readers.channels]]" in EXAMPLE.read_text()


def test_with_every_default_uncommented_it_means_the_same(tmp_path: Path) -> None:
    text = "\n".join(
        line.removeprefix("# ") if DEFAULT.match(line) else line for line in EXAMPLE.read_text().splitlines()
    )
    path = tmp_path / "whole.toml"
    path.write_text(text)
    assert load(path, {}).fingerprint == load(EXAMPLE, {}).fingerprint


def test_the_schema_is_current() -> None:
    assert SCHEMA_PATH.read_text() == schema_text(), "run: python -m config.schema"


def test_the_schema_is_strict_and_knows_no_null() -> None:
    schema = schema_text()
    assert '"null"' not in schema
    assert '"patternProperties"' in schema
    assert schema.count('"additionalProperties": false') == len(_models(ConfigFile))


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """`model` and every model in its fields."""
    found = {model}
    for field in model.model_fields.values():
        pending = [field.annotation]
        while pending:
            part = pending.pop()
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= _models(part)
            else:
                pending.extend(getattr(part, "__args__", ()))
    return found
