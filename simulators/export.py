"""Writes a recording into files that other tools read, and the configuration that fits a scenario."""

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from simulators.recording import Recording
from simulators.shop.board import Say, Weighing
from simulators.shop.day import GondolaDay
from simulators.shop.gondola_plan import BinPlan, GondolaPlan
from simulators.shop.plan import ReaderMount, ShopPlan

GONE = "gone"
# So many rows are turned into text at a time; it bounds memory, not the file.
_ROWS_AT_A_TIME = 50_000


def export(recording: Recording, plan: ShopPlan | None, folder: Path, progress: Callable[[float], None]) -> list[Path]:
    """Writes `reads.csv`, `links.csv`, `truth.csv` and `shop.toml`, with gondolas also `weights.csv` and `shelves.csv`.

    All times are UTC in microseconds.

    `reads.csv`: time_taken, time_received, reader, antenna, epc (hex), rssi (dBm), reader_stamp (what the reader's own
    clock said). `links.csv`: time, reader, state, antenna (empty: the whole reader). `truth.csv`: time_us, epc, zone
    or `gone`. `weights.csv`: time, reader, channel, what (stable, moving, overload, input), value. `shelves.csv`, what
    truly lies there: time_us, reader, channel (of the bin), gtin, pieces. Without a plan there are only zones and
    antennas to configure. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("reads.csv", "links.csv", "truth.csv", "shop.toml")]
    reads, links, truth, shop = paths
    _write_reads(recording, reads, progress)
    _write(links, ("time", "reader", "state", "antenna"), sorted(_links(recording)))
    epcs = [epc.hex().upper() for epc in recording.epcs]
    facts = ((fact.at_us, epcs[fact.tag], fact.zone or GONE) for fact in recording.truth)
    _write(truth, ("time_us", "epc", "zone"), facts)
    shop.write_text(shop_toml(plan) if plan is not None else _bare_toml(recording), encoding="utf-8")
    if plan is not None and plan.gondolas:
        weights, shelves = folder / "weights.csv", folder / "shelves.csv"
        _write(weights, ("time", "reader", "channel", "what", "value"), _values(recording.weighing))
        lying = (row for day in recording.weighing.days for row in _lying(day))
        _write(shelves, ("time_us", "reader", "channel", "gtin", "pieces"), lying)
        paths += [weights, shelves]
    return paths


def shop_toml(plan: ShopPlan, urls: Mapping[str, str] | None = None) -> str:
    """Zones, readers and shelves as a gateway is configured; with `urls` (reader -> url) it can reach them, too."""
    parts = [f'[[zones]]\nid = "{zone.id}"\nkind = "{zone.kind.value}"' for zone in plan.zones]
    for reader in plan.readers:
        antennas = ", ".join(f'{mount.port} = "{mount.zone}"' for mount in reader.antennas)
        lines = ["[[readers]]", f'id = "{reader.id}"', f"antennas = {{ {antennas} }}"]
        if urls is not None:
            lines += [f'driver = "{reader.wire}"', f'url = "{urls[reader.id]}"', *_of_wire(reader)]
        parts.append("\n".join(lines))
    for gondola in plan.gondolas:
        lines = ["[[readers]]", f'id = "{gondola.id}"']
        if urls is not None:
            lines += ['driver = "scale"', f'url = "{urls[gondola.id]}"', 'dialect = "shelf-line"']
        parts += ["\n".join(lines), *(text for each in gondola.bins for text in _channels(gondola, each))]
    return "\n\n".join(parts) + "\n"


def _bare_toml(recording: Recording) -> str:
    parts = [f'[[zones]]\nid = "{zone}"\nkind = "{kind}"' for zone, kind in recording.zones.items()]
    for reader in dict.fromkeys(reader for reader, _, _ in recording.antennas):
        antennas = ", ".join(f'{port} = "{zone}"' for name, port, zone in recording.antennas if name == reader)
        parts.append(f'[[readers]]\nid = "{reader}"\nantennas = {{ {antennas} }}')
    return "\n\n".join(parts) + "\n"


def _of_wire(reader: ReaderMount) -> list[str]:
    """What a reader of this kind needs."""
    if reader.wire == "llrp":
        return [f"session = {reader.session}"]
    pins = ", ".join(str(pin + 1) for pin in range((len(reader.antennas) - 1).bit_length()))
    power_dbm = reader.antennas[0].power_dbm
    return ['region = "eu"', f"power_dbm = {power_dbm:g}", *([f"switch_pins = [{pins}]"] if pins else [])]


def _channels(gondola: GondolaPlan, each: BinPlan) -> Iterable[str]:
    """A bin's tables: its own, and one for each cell or slot that belongs to it."""
    head = f'zone = "{gondola.zone}"'
    lines = ["[[readers.channels]]", f"channel = {each.channel}", head]
    if len(each.products) == 1:
        lines += _sku(gondola, each, 0)
    else:
        skus = ("    { " + ", ".join(_sku(gondola, each, index)) + " }," for index in range(len(each.products)))
        lines += ["skus = [", *skus, "]"]
    if each.sensor == "weight":
        lines += [f"noise_g = {gondola.scales.noise_g:g}", f"division_g = {gondola.scales.division_g:g}"]
    else:
        lines += [f'sensor = "{each.sensor}"']
    if each.sensor == "pusher":
        lines += [f"empty_mm = {each.empty_mm}", f"pitch_mm = {each.pitch_mm}"]
    if each.cells:
        lines += ["cell_mm = 0.0"]
    yield "\n".join(lines)
    part = f"{head}\npart_of = {each.channel}"
    for cell in each.cells:
        yield f"[[readers.channels]]\nchannel = {cell.channel}\n{part}\ncell_mm = {cell.at_mm}"
    for slot in each.slots:
        yield f"[[readers.channels]]\nchannel = {slot}\n{part}"


def _sku(gondola: GondolaPlan, each: BinPlan, index: int) -> list[str]:
    product = gondola.product(each.products[index])
    said = [f'gtin = "{product.gtin}"', f"most = {each.most}"]
    if each.sensor == "weight":
        said += [
            f"unit_weight_g = {product.unit_g}",
            f"variation = {product.variation}",
            f"tolerance = {product.batch}",
        ]
    if each.lanes_mm:
        said.append(f"lane_mm = [{each.lanes_mm[index][0]}, {each.lanes_mm[index][1]}]")
    return said


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


def _values(weighing: Weighing) -> Iterable[tuple[int, str, int, str, object]]:
    rows = zip(
        weighing.at_us.tolist(), weighing.channel.tolist(), weighing.say.tolist(), weighing.value.tolist(), strict=True
    )
    for at_us, channel, say, value in rows:
        reader, number = weighing.channels[channel]
        yield at_us, reader, number, Say(say).name.lower(), "" if math.isnan(value) else round(value, 2)


def _lying(day: GondolaDay) -> Iterable[tuple[int, str, int, str, int]]:
    plan = day.plan
    for at_us, number, product, pieces in day.truth:
        yield at_us, plan.id, plan.bins[number].channel, plan.products[product].gtin, pieces


def _word(*, up: bool) -> str:
    return "up" if up else "down"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
