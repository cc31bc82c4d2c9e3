"""Report decoding: ours and sllurp's on the same bytes, interleaved in one run; and socket to reads.

    python -m tests.bench.bench_decode

A report is EPC-96, ROSpecID, AntennaID, PeakRSSI, ChannelIndex, First/LastSeenUTC and TagSeenCount; Impinj's adds its
own phase, signal and Doppler shift, which reads skip and diagnosis (`details`) takes out. Every field of a read is
compared before anything is measured. Of several rounds the best counts: the machine is not ours alone.
"""

import asyncio
import json
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

from sllurp.llrp_proto import Message_struct

from readers.llrp.details import DetailDecoder
from readers.llrp.driver import Link
from readers.llrp.reports import ReportDecoder
from readers.llrp.settings import LlrpSettings
from readers.model import RawRead, ReadBatch, ReaderEvent

REPORT = struct.Struct(">HHB12sBIBHBbBHBQBQBH")
CUSTOMS = struct.Struct(">HHIIHHHIIhHHIIh")
HEADER = struct.Struct(">HII")
NOW_US = 1_700_000_000_000_000
SIZES = (1, 20, 100)
IMPINJ_SIZES = (20, 100)
IMPINJ = 25882
ROUNDS = 5
OURS_PER_ROUND = 60_000
THEIRS_PER_ROUND = 3_000
SOCKET_READS = 400_000
SOCKET_ROUNDS = 3
DISTINCT_MESSAGES = 50

decode_theirs: Callable[[bytes, str], dict[str, list[dict[str, object]]]] = Message_struct["RO_ACCESS_REPORT"]["decode"]


def pack_report(rng: random.Random) -> bytes:
    at = NOW_US + rng.randrange(10**9)
    epc = b"\x30" + rng.randbytes(11)
    fields = (0x8D, epc, 0x89, 1, 0x81, rng.randint(1, 4), 0x86, rng.randint(-80, -30), 0x87, rng.randint(1, 50))
    stamps = (0x82, at, 0x84, at + rng.randrange(10**6), 0x88, rng.randint(1, 9))
    return REPORT.pack(240, REPORT.size, *fields, *stamps)


def pack_impinj_report(rng: random.Random) -> bytes:
    plain = bytearray(pack_report(rng))
    plain[2:4] = (REPORT.size + CUSTOMS.size).to_bytes(2, "big")
    phase = (1023, 14, IMPINJ, 56, rng.randrange(4096))
    signal = (1023, 14, IMPINJ, 57, rng.randint(-8000, -3000))
    return bytes(plain) + CUSTOMS.pack(*phase, *signal, 1023, 14, IMPINJ, 68, rng.randint(-99, 99))


def impinj_bodies(size: int) -> list[bytes]:
    rng = random.Random(size)
    return [b"".join(pack_impinj_report(rng) for _ in range(size)) for _ in range(DISTINCT_MESSAGES)]


def bodies(size: int) -> list[bytes]:
    rng = random.Random(size)
    return [b"".join(pack_report(rng) for _ in range(size)) for _ in range(DISTINCT_MESSAGES)]


def theirs_as_reads(body: bytes) -> list[tuple[object, ...]]:
    names = ("AntennaID", "PeakRSSI", "FirstSeenTimestampUTC", "LastSeenTimestampUTC", "TagSeenCount")
    tags = decode_theirs(body, "RO_ACCESS_REPORT")["TagReportData"]
    return [(bytes.fromhex(tag["EPC"].decode()), *(tag[name] for name in names)) for tag in tags]  # type: ignore[attr-defined]  # bytes, by its habit


def check_equal(messages: list[bytes]) -> None:
    decoder = ReportDecoder()
    for body in messages:
        for _ in range(2):
            reads: list[RawRead] = []
            assert decoder.decode(body, reads) is None
            assert reads == theirs_as_reads(body)


def measure_ours(messages: list[bytes], reports: int, size: int) -> float:
    decoder = ReportDecoder()
    decode = decoder.decode
    times = max(1, reports // (len(messages) * size))
    started = time.perf_counter()
    for _ in range(times):
        for body in messages:
            reads: list[RawRead] = []
            decode(body, reads)
    return times * len(messages) * size / (time.perf_counter() - started)


def measure_details(messages: list[bytes], reports: int, size: int) -> float:
    decode = DetailDecoder().decode
    times = max(1, reports // (len(messages) * size))
    started = time.perf_counter()
    for _ in range(times):
        for body in messages:
            decode(body)
    return times * len(messages) * size / (time.perf_counter() - started)


def measure_theirs(messages: list[bytes], reports: int, size: int) -> float:
    some = messages[: max(1, reports // size)]
    started = time.perf_counter()
    for body in some:
        decode_theirs(body, "RO_ACCESS_REPORT")
    return len(some) * size / (time.perf_counter() - started)


class WallClock:
    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000

    def utc_us(self) -> int:
        return time.time_ns() // 1000


async def measure_socket(messages: list[bytes], reads: int) -> float:
    """Reads per second from a socket to the sink, the sender being a thread that only sends."""
    near, far = socket.socketpair()
    per_message = len(messages[0]) // REPORT.size
    stream = b"".join(HEADER.pack(0x0400 | 61, 10 + len(body), n) + body for n, body in enumerate(messages))
    times = max(1, reads // (len(messages) * per_message))
    wanted = times * len(messages) * per_message
    done = asyncio.Event()
    arrived = 0

    def sink(event: ReaderEvent) -> None:
        nonlocal arrived
        if isinstance(event, ReadBatch):
            arrived += len(event.reads)
            if arrived >= wanted:
                done.set()

    link = Link("bench", LlrpSettings("none", (1, 2, 3, 4)), WallClock(), sink)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=near)
    block = stream * max(1, min(times, 1_000_000 // len(stream)))
    blocks, rest = divmod(times * len(stream), len(block))

    def send() -> None:
        for _ in range(blocks):
            far.sendall(block)
        far.sendall(block[:rest])

    sender = threading.Thread(target=send)
    started = time.perf_counter()
    sender.start()
    async with asyncio.timeout(60):
        await done.wait()
    elapsed_s = time.perf_counter() - started
    sender.join()
    link.abort()
    await link.ended
    far.close()
    return wanted / elapsed_s


def run() -> dict[str, float]:
    """Reports per second of both decoders, their ratio, and reads per second from the socket, per message size."""
    results: dict[str, float] = {}
    for size in SIZES:
        messages = bodies(size)
        check_equal(messages)
        ours, theirs, ratios = [], [], []
        for _ in range(ROUNDS):
            theirs.append(measure_theirs(messages * THEIRS_PER_ROUND, THEIRS_PER_ROUND, size))
            ours.append(measure_ours(messages, OURS_PER_ROUND * (1 if size == 1 else 8), size))
            ratios.append(ours[-1] / theirs[-1])
        results[f"decode_{size}_reports_per_s"] = max(ours)
        results[f"sllurp_{size}_reports_per_s"] = max(theirs)
        results[f"decode_{size}_ratio"] = max(ours) / max(theirs)
        results[f"decode_{size}_ratio_median"] = sorted(ratios)[ROUNDS // 2]
        results[f"socket_{size}_reads_per_s"] = max(
            asyncio.run(measure_socket(messages, SOCKET_READS)) for _ in range(SOCKET_ROUNDS)
        )
    for size in IMPINJ_SIZES:
        messages = impinj_bodies(size)
        check_equal(messages)
        theirs = [measure_theirs(messages * THEIRS_PER_ROUND, THEIRS_PER_ROUND, size) for _ in range(ROUNDS)]
        ours = [measure_ours(messages, OURS_PER_ROUND * 8, size) for _ in range(ROUNDS)]
        details = [measure_details(messages, OURS_PER_ROUND, size) for _ in range(ROUNDS)]
        results[f"decode_impinj_{size}_reports_per_s"] = max(ours)
        results[f"sllurp_impinj_{size}_reports_per_s"] = max(theirs)
        results[f"decode_impinj_{size}_ratio"] = max(ours) / max(theirs)
        results[f"details_impinj_{size}_reports_per_s"] = max(details)
    return results


def main() -> int:
    """Print the table, or with --json one object."""
    results = run()
    if "--json" in sys.argv[1:]:
        print(json.dumps(results))
        return 0
    print("reports/message      ours/s    sllurp/s   ratio  (median)   socket to reads/s")
    for size in SIZES:
        ours, theirs = results[f"decode_{size}_reports_per_s"], results[f"sllurp_{size}_reports_per_s"]
        ratio, median = results[f"decode_{size}_ratio"], results[f"decode_{size}_ratio_median"]
        through = results[f"socket_{size}_reads_per_s"]
        print(f"{size:15}  {ours:10,.0f}  {theirs:10,.0f}  {ratio:5.1f}x  ({median:5.1f}x)  {through:18,.0f}")
    for size in IMPINJ_SIZES:
        ours, theirs = results[f"decode_impinj_{size}_reports_per_s"], results[f"sllurp_impinj_{size}_reports_per_s"]
        details = results[f"details_impinj_{size}_reports_per_s"]
        print(f"{size:8} Impinj  {ours:10,.0f}  {theirs:10,.0f}  {ours / theirs:5.1f}x   details {details:,.0f}/s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
