"""What a configuration says of the shop alone: zones, the zone of each antenna, and which tags are stock.

Recorded reads are counted with it. So it may be a gateway's whole file, or one with only `[[zones]]` and the id and
`antennas` of `[[readers]]`.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from config.checks import nearest, tables
from config.loader import judge, read_text, read_toml
from config.problems import ConfigError, Problem, Severity
from gateway.domain.params import Bin, ItemParams, PresenceParams, Zone

# Tables that say how a gateway is reached and where it writes.
NOT_OF_THE_SHOP = ("site", "mqtt", "epcis", "ledger", "http", "groups")
EVERY_ZONE = "*"
PARAMETERS = ["kind", "profile", *(each.name for each in fields(PresenceParams))]


@dataclass(frozen=True, slots=True)
class Layout:
    """Zones, (reader id, antenna port or channel) -> zone id, what counts, and the bins of shelves."""

    zones: tuple[Zone, ...]
    antennas: Mapping[tuple[str, int], str]
    item_params: ItemParams = field(default_factory=ItemParams)
    warnings: tuple[Problem, ...] = ()
    bins: tuple[Bin, ...] = ()

    @property
    def readers(self) -> tuple[str, ...]:
        """The ids of the readers, each once, in order."""
        return tuple(dict.fromkeys(reader for reader, _ in self.antennas))


class OverrideError(ValueError):
    """A `ZONE.PARAMETER=VALUE` that cannot be understood; `hint` says what would be."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def load_layout(path: Path, overrides: Sequence[str] = (), *, shelves: bool = False) -> Layout:
    """The layout in the file at `path`, some presence parameters replaced: `floor.move_margin=3`, `*.settle_s=10`.

    `shelves`: with channels and what is counted on them, else antennas alone. Raises ConfigError with every problem of
    the file, OverrideError for an override that is none or cannot stand there.
    """
    data, lines = read_toml(read_text(path), path)
    data = _completed(data, shelves=shelves)
    config = judge(data, lines, path, os.environ)
    if overrides:
        for override in overrides:
            _override(data, override)
        try:
            config = judge(data, lines, path, os.environ)
        except ConfigError as error:
            # The file itself is well.
            first = next(problem for problem in error.problems if problem.severity is Severity.ERROR)
            _, named, parameter = first.key.rpartition(".")
            text = f"{parameter}: {first.text}" if named else f"what is set does not go together: {first.text}"
            raise OverrideError(text, f"expected {first.expected}" if first.expected else first.hint) from error
    antennas = {(reader.id, port): zone for reader in config.readers for port, zone in reader.antennas.items()}
    return Layout(config.zones, antennas, config.item_params, config.warnings, config.bins)


def _completed(data: Mapping[str, Any], *, shelves: bool) -> dict[str, Any]:
    """Only what is of the shop; for the rest, what any gateway could have."""
    rest = {
        "site": {"id": "recorded", "gateway": "recorded"},
        "mqtt": {"url": "embedded://127.0.0.1:1883"},
    }
    readers = data.get("readers")
    if isinstance(readers, list):
        of_reads = [
            {key: reader[key] for key in ("id", "antennas") if key in reader}
            | {"driver": "llrp", "url": f"llrp://recorded-{index}"}
            for index, reader in enumerate(readers)
            if isinstance(reader, dict) and ("antennas" in reader or "channels" not in reader)
        ]
        if shelves:
            of_reads += [
                _shelf(reader, index)
                for index, reader in enumerate(readers)
                if isinstance(reader, dict) and "channels" in reader
            ]
        rest["readers"] = of_reads  # type: ignore[assignment]
    return {key: value for key, value in data.items() if key not in NOT_OF_THE_SHOP} | rest


def _shelf(reader: Mapping[str, Any], index: int) -> dict[str, Any]:
    """A table of channels, at an address that nobody looks for."""
    if reader.get("driver") == "modbus":
        return {**reader, "url": f"modbus://recorded-{index}:502"}
    told = {key: reader[key] for key in ("id", "channels") if key in reader}
    return told | {"driver": "scale", "dialect": "shelf-line", "url": f"socket://recorded-{index}:4001"}


def _override(data: Mapping[str, Any], text: str) -> None:
    """Put `ZONE.PARAMETER=VALUE` into the file's data; whether the value can stand there is judged with the rest."""
    place, equals, value = text.partition("=")
    zone_id, dot, parameter = place.strip().partition(".")
    if not equals or not dot:
        raise OverrideError(f"{text!r} sets nothing", "write ZONE.PARAMETER=VALUE, like floor.missing_floor_s=30")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    zones = [zone for _, zone in tables(data, "zones")]
    chosen = [zone for zone in zones if zone_id in {EVERY_ZONE, zone.get("id")}]
    if not chosen:
        known = [str(zone.get("id")) for zone in zones]
        hint = nearest(zone_id, known) or f"one of {', '.join(known)}, or * for all"
        raise OverrideError(f"no zone {zone_id!r}", hint)
    if parameter not in PARAMETERS:
        hint = nearest(parameter, PARAMETERS) or f"one of {', '.join(PARAMETERS)}"
        raise OverrideError(f"zones have no parameter {parameter!r}", hint)
    for zone in chosen:
        assert isinstance(zone, dict), "that is what tables() gives"
        zone[parameter] = parsed
