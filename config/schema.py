"""The JSON Schema of the configuration file, for editors: `python -m config.schema` writes schema.json anew."""

import json
from pathlib import Path
from typing import Any

from config.models import ConfigFile

SCHEMA_PATH = Path(__file__).with_name("schema.json")


def schema_text() -> str:
    """The content that schema.json must have."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_without_null(ConfigFile.model_json_schema()),
        "title": "tallygate configuration",
    }
    return json.dumps(schema, indent=2) + "\n"


def _without_null(node: Any) -> Any:
    """TOML has no null: a key that may be absent is optional, and that is all."""
    if isinstance(node, list):
        return [_without_null(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    choices = plain.get("anyOf", [])
    if {"type": "null"} in choices:
        plain.pop("anyOf")
        real = [choice for choice in choices if choice != {"type": "null"}]
        plain = {**real[0], **plain} if len(real) == 1 else {**plain, "anyOf": real}
    return plain


if __name__ == "__main__":
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
