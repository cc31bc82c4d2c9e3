"""Writes a recording into files that other tools read, and the configuration that fits a scenario."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from simulators.recording import Recording
from simulators.shop.plan import ShopPlan

GONE = "gone"
# So many rows are turned into text at a time; it bounds memory, not the file.
_ROWS_AT_A_TIME = 50_000


def export(recording: Recording, plan: ShopPlan, folder: Path, progress: Callable[[float], None]) -> list[Path]:
    """Writes `reads.csv`, `links.csv`, `truth.csv` and `shop.toml`; all times are UTC in microseconds.

    `reads.csv`: time_taken, time_received, reader, antenna, epc (hex), rssi (dBm), reader_stamp (what the reader's own
    clock said). `links.csv`: time, reader, state, antenna (empty: the whole reader). `truth.csv`: time_us, epc, zone
    or `gone`. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("reads.csv", "links.csv", "truth.csv", "shop.toml")]
    reads, links, truth, shop = paths
    _write_reads(recording, reads, progress)
    _write(links, ("time", "reader", "state", "antenna"), sorted(_links(recording)))
    epcs = [epc.hex().upper() for epc in recording.epcs]
    facts = ((fact.at_us, epcs[fact.tag], fact.zone or GONE) for fact in recording.truth)
    _write(truth, ("time_us", "epc", "zone"), facts)
    shop.write_text(shop_toml(plan), encoding="utf-8")
    return paths


def shop_toml(plan: ShopPlan, urls: Mapping[str, str] | None = None) -> str:
    """Zones and readers as a gateway is configured; with `urls` (reader -> LLRP url) it can reach them, too."""
    parts = [f'[[zones]]\nid = "{zone.id}"\nkind = "{zone.kind.value}"' for zone in plan.zones]
    for reader in plan.readers:
        antennas = ", ".join(f'{mount.port} = "{mount.zone}"' for mount in reader.antennas)
        lines = ["[[readers]]", f'id = "{reader.id}"', f"antennas = {{ {antennas} }}"]
        if urls is not None:
            lines += ['driver = "llrp"', f'url = "{urls[reader.id]}"', f"session = {reader.session}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _write_reads(recording: Recording, path: Path, progress: Callable[[float], None]) -> None:
    epcs = [epc.hex().upper() for epc in recording.epcs]
    names = [f"{reader},{port}" for reader, port, _ in recording.antennas]
    total = len(recording.tag)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("time_taken,time_received,reader,antenna,epc,rssi,reader_stamp\n")
        for start in range(0, total, _ROWS_AT_A_TIME):
            rows = slice(start, start + _ROWS_AT_A_TIME)
            columns = zip(
                recording.taken_us[rows].tolist(),
                recording.received_us[rows].tolist(),
                recording.antenna[rows].tolist(),
                recording.tag[rows].tolist(),
                recording.rssi_dbm[rows].tolist(),
                recording.stamp_us[rows].tolist(),
                strict=True,
            )
            # Ids, hex and numbers need no quotes, and a writer that looks for them takes twice the time.
            file.writelines(
                f"{taken},{received},{names[antenna]},{epcs[tag]},{dbm},{stamp}\n"
                for taken, received, antenna, tag, dbm, stamp in columns
            )
            progress(min(1.0, (start + _ROWS_AT_A_TIME) / total))


def _links(recording: Recording) -> Iterable[tuple[int, str, str, str]]:
    for link in recording.links:
        yield link.at_us, link.reader, _word(up=link.connected), ""
    for event in recording.antenna_events:
        yield event.at_us, event.reader, _word(up=event.up), str(event.port)


def _word(*, up: bool) -> str:
    return "up" if up else "down"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
