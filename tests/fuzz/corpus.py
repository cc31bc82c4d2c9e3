"""What fuzzing starts from: tag reports as the simulated readers pack them. `python -m tests.fuzz.corpus` writes it.

A file is a connection: bodies of RO_ACCESS_REPORT, each behind its length in two bytes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from simulators.field import Sighting
from simulators.llrp.impinj import ENABLE_DOPPLER, ENABLE_PHASE, ENABLE_RSSI, ENABLE_TID
from simulators.llrp.names import ReportTrigger
from simulators.llrp.reports import Reporter, ReportSpec

FOLDER = Path(__file__).parents[1] / "corpus" / "reports"
START_US = 1_700_000_000_000_000
PLAIN = frozenset({"EnableAntennaID", "EnablePeakRSSI", "EnableFirstSeenTimestamp", "EnableLastSeenTimestamp"})
COUNTED = PLAIN | {"EnableTagSeenCount"}
FULL = COUNTED | {
    "EnableROSpecID",
    "EnableSpecIndex",
    "EnableInventoryParameterSpecID",
    "EnableChannelIndex",
    "EnablePCBits",
    "EnableCRC",
    "EnableAccessSpecID",
}
VENDOR_CONTENT = (ENABLE_TID, ENABLE_PHASE, ENABLE_RSSI, ENABLE_DOPPLER)
BITS = {"epc96": (96,), "epc128": (128,), "odd": (96, 100, 61, 7), "mixed": (96, 128, 96, 240)}


def connection(data: bytes) -> Iterator[bytes]:
    """The bodies of a file; a length that is too large ends with the file."""
    while data:
        end = 2 + int.from_bytes(data[:2])
        yield data[2:end]
        data = data[end:]


def written(bodies: Iterable[bytes]) -> bytes:
    return b"".join(len(body).to_bytes(2) + body for body in bodies)


def corpus() -> dict[str, bytes]:
    """File name -> content."""
    found = {}
    for fields, enabled in (("bare", frozenset[str]()), ("counted", COUNTED), ("full", FULL)):
        for form, sizes in BITS.items():
            found[f"{fields}-{form}.bin"] = written(_bodies(sizes, ReportSpec(ReportTrigger.NONE, 0, enabled)))
    spec = ReportSpec(ReportTrigger.NONE, 0, FULL, frozenset(VENDOR_CONTENT))
    found["impinj.bin"] = written(_bodies((96,), spec))
    found["uptime.bin"] = written(_bodies((96, 128), ReportSpec(ReportTrigger.NONE, 0, FULL), uptime=True))
    found["unchanged.bin"] = written(_bodies((96,), ReportSpec(ReportTrigger.NONE, 0, FULL), omits_unchanged=True))
    return found


def _bodies(
    sizes: tuple[int, ...], spec: ReportSpec, *, uptime: bool = False, omits_unchanged: bool = False
) -> Iterator[bytes]:
    reporter = Reporter(7, spec, uptime=uptime, omits_unchanged=omits_unchanged)
    for turn in range(3):
        for number, bits in enumerate(sizes * (turn + 1)):
            epc = bytes([0x30 + turn, number]).ljust((bits + 7) // 8, b"\x40")[: (bits + 7) // 8]
            at_us = START_US + 1000 * number
            reporter.add(Sighting(epc, bits, -40 - number, at_us, 1 + number), at_us, (1, 1, 1 + turn))
        yield from (body for _, body in reporter.flush())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in corpus().items():
        (FOLDER / name).write_bytes(content)
