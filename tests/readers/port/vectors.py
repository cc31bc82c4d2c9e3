"""Frames and lines of serial devices that others have published; the folder comes from the environment."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("SERIAL_VECTORS")
FILE = Path(FOLDER or ".") / "vectors.json"
needs_vectors = pytest.mark.skipif(not FILE.is_file(), reason="SERIAL_VECTORS names no folder with vectors.json")


@dataclass(frozen=True)
class Vector:
    name: str
    from_device: bool
    data: bytes
    valid: bool
    expect: dict[str, Any]


def vectors(family: str, *, text: bool = False) -> list[Vector]:
    """Those of one family of devices, in hex or as lines of `text`; none where the folder is not given."""
    if not FILE.is_file():
        return []
    entries = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]
    return [
        Vector(
            entry["id"],
            entry["dir"] == "<",
            entry["data"].encode("latin-1") if text else bytes.fromhex(entry["data"]),
            entry["valid"],
            entry["expect"] or {},
        )
        for entry in entries
        if entry["family"] == family
    ]
