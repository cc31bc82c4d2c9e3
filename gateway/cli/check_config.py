"""`tallygate check-config`: everything that is wrong with a configuration file, at once."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from config import Config, ConfigError, Problem, load
from gateway.cli.output import ExitCode, JsonOption, complain, print_json, table
from gateway.domain.countable import countable_pieces, level_sd_g
from gateway.domain.params import Bin, Sensor, Sku


def check_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration, like config/example.toml.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Checks a configuration file: every problem with its line, key, and what was expected.

    Files that it names (passwords, certificates) are looked at too; nothing is connected, nothing is written.
    """
    try:
        config = load(file)
        _check_certificates(file, config)
    except ConfigError as error:
        if as_json:
            print_json({"file": str(file), "ok": False, "problems": _plain(error.problems)})
        else:
            show_problems(error.problems)
        raise typer.Exit(ExitCode.FINDING) from None
    if as_json:
        print_json({"file": str(file), "ok": True, "problems": _plain(config.warnings), **summary(config)})
    else:
        show_problems(config.warnings)
        print(_for_people(file, config))


def _check_certificates(file: Path, config: Config) -> None:
    """Whether the broker's certificates and keys can be used. Raises ConfigError."""
    from gateway.parts import TlsFilesError, connect_options  # noqa: PLC0415 - the whole gateway, only where needed

    try:
        connect_options(config)
    except TlsFilesError as error:
        key, _, text = str(error).partition(": ")
        raise ConfigError([Problem(str(file), 1, key, text, "", error.hint)]) from error


def summary(config: Config) -> dict[str, Any]:
    """What the file sets up, without secrets."""
    return {
        "site": config.site.id,
        "gateway": config.site.gateway,
        "mqtt": config.mqtt.url,
        "fingerprint": config.fingerprint,
        "zones": [{"id": zone.id, "kind": zone.kind, "readers": readers_of(config, zone.id)} for zone in config.zones],
        "readers": [
            {
                "id": reader.id,
                "driver": reader.driver,
                "address": reader.settings.address,
                "antennas": {str(port): zone for port, zone in sorted(reader.antennas.items())},
            }
            for reader in config.readers
        ],
        "bins": [
            {
                "reader": each.reader,
                "channel": each.channel,
                "zone": each.zone,
                "sensor": each.sensor.value,
                "products": {sku.gtin: countable(each, sku) for sku in each.skus},
            }
            for each in config.bins
        ],
    }


def countable(each: Bin, sku: Sku) -> int | None:
    """How many pieces of a product the weight of its bin can count; None where nothing is weighed."""
    if each.sensor is not Sensor.WEIGHT:
        return None
    return countable_pieces(sku.unit_weight_g, sku.variation, sku.tolerance, level_sd_g(each.params))


def readers_of(config: Config, zone: str) -> list[str]:
    """The readers that have an antenna in `zone`."""
    return [reader.id for reader in config.readers if zone in reader.antennas.values()]


def _plain(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [asdict(problem) for problem in problems]


def show_problems(problems: Iterable[Problem]) -> None:
    """Every problem on stderr: place, key, what is wrong, what was expected, what to do."""
    for problem in problems:
        place = f"{problem.place}: {problem.severity}: "
        expected = [f"expected {problem.expected}"] if problem.expected else []
        key = f"{problem.key}: " if problem.key else ""
        complain(f"{place}{key}{problem.text}", problem.hint, expected)


def _for_people(file: Path, config: Config) -> str:
    zones = table(
        ("zone", "kind", "readers"),
        ((zone.id, zone.kind, ", ".join(readers_of(config, zone.id)) or "-") for zone in config.zones),
    )
    readers = table(
        ("reader", "driver", "address", "antennas"),
        (
            (
                reader.id,
                reader.driver,
                reader.settings.address,
                ", ".join(f"{port}={zone}" for port, zone in sorted(reader.antennas.items())),
            )
            for reader in config.readers
        ),
    )
    bins = table(
        ("bin", "zone", "sensor", "counts"),
        (
            (f"{each.reader}:{each.channel}", each.zone, each.sensor.value, ", ".join(_counts(each)) or "-")
            for each in config.bins
        ),
    )
    heading = f"{file} is fine"
    names = f"site {config.site.id}, gateway {config.site.gateway}, broker {config.mqtt.url}"
    parts = f"{heading}\n{names}", config.zones and zones, config.readers and readers, config.bins and bins
    return "\n\n".join(part for part in parts if part)


def _counts(each: Bin) -> Iterator[str]:
    """Its products, and how far their count can be confirmed by weight."""
    for sku in each.skus:
        most = countable(each, sku)
        yield sku.gtin if most is None else f"{sku.gtin} (up to {most})"
