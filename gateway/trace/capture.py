"""The capture format: what the readers said, byte for byte as it is kept. Pure: fed bytes, gives entries.

    file    = MAGIC block*
    block   = length u32 | CRC-32 of the rest u32 | zlib of entry*          little-endian throughout
    entry   = kind u8 | length u32 | content

A block is written at once and only ever appended, so a kill can tear the last one alone; what its CRC does not confirm
is cut off by whoever reads. Times are UTC in microseconds. Entries:

    S  JSON: a session begins; at_us, software, site, gateway, layout, shelves. Tags are numbered anew, from 0.
    F  empty: tags are numbered anew
    T  tags, numbered on: bits u16 | EPC, padded to whole bytes
    R  reads: reader's name u8+bytes | received_us i64 | rows of tag u32, antenna u16, dBm i8, age_us i64, span_us u32,
       count u16; a tag was last read age_us before it was received, and first span_us before that
    W  weights of one moment: reader's name u8+bytes | at_us i64 | rows of channel u16, condition u8, grams f64 (NaN:
       none); the conditions are those of `CONDITIONS`, numbered from 0
    I  inputs of one moment: the same head | rows of channel u16, value f64 (NaN: it cannot be told)
    C  JSON: a reader's condition; at_us, reader, condition, antennas, resting
    D  JSON: at_us, reads: so many were not captured, because whoever captures took them too slowly
    A  JSON: at_us: all is well, and nothing more was said until then
    E  JSON: at_us: the session has ended
"""

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.tags import TagKey, key_bits, key_epc, tag_key
from readers.model import (
    AntennaCondition,
    InputSample,
    RawRead,
    ReadBatch,
    ReaderCondition,
    ReaderState,
    WeightCondition,
    WeightSample,
)

MAGIC: Final = b"tallygate capture 1\n"
HEAD: Final = struct.Struct("<II")
ENTRY: Final = struct.Struct("<cI")
ROW: Final = struct.Struct("<IHbqIH")
WEIGHT_ROW: Final = struct.Struct("<HBd")
INPUT_ROW: Final = struct.Struct("<Hd")
RECEIVED: Final = struct.Struct("<q")
# Their numbers stand in files: new ones go behind.
CONDITIONS: Final = (
    WeightCondition.STABLE,
    WeightCondition.MOVING,
    WeightCondition.OVERLOAD,
    WeightCondition.UNDERLOAD,
    WeightCondition.BUSY,
    WeightCondition.FAULT,
)
BITS: Final = struct.Struct("<H")
# Half a second of 20,000 reads/s is 0.3 MB; a length beyond this is none.
MAX_BLOCK_BYTES: Final = 16_000_000
# What a block may grow to: a few bytes must not fill the memory.
MAX_ENTRIES_BYTES: Final = 64_000_000
# Tags that are numbered before the numbers start anew: some 100 MB in whoever writes.
MAX_TAGS: Final = 500_000
MAX_SPAN_US: Final = 0xFFFF_FFFF
MAX_COUNT: Final = 0xFFFF
LEVEL: Final = 6


class CaptureError(ValueError):
    """These bytes are no capture, or one that this version cannot read; `hint` says what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Session:
    """A capture has begun, or begun again."""

    at_us: int
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a reader said of itself."""

    at_us: int
    state: ReaderState


@dataclass(frozen=True, slots=True)
class Alive:
    """Time has passed; `dropped` reads were not captured; `ended`: the session ended in order."""

    at_us: int
    dropped: int = 0
    ended: bool = False


Sample = WeightSample | InputSample
Captured = Session | Condition | Alive | ReadBatch | WeightSample | InputSample
"""What an entry holds; the times of batches and samples are UTC, a batch's `offset_us` is 0."""


class CaptureWriter:
    """Entries into blocks. `shift_us` is what turns the gateway's monotonic time into UTC, for the whole session."""

    def __init__(self, shift_us: int) -> None:
        self._shift_us = shift_us
        self._entries: list[bytes] = []
        self._tags: dict[TagKey, int] = {}

    def session(self, now_us: int, about: Mapping[str, Any]) -> None:
        self._tags.clear()
        self._json(b"S", {"at_us": now_us + self._shift_us, **about})

    def batch(self, batch: ReadBatch) -> None:
        if len(self._tags) + len(batch.reads) > MAX_TAGS:
            self._tags.clear()
            self._entry(b"F", b"")
        received_us, offset_us, bits = batch.received_us, batch.offset_us, batch.epc_bits
        rows, fresh = [], []
        for epc, antenna, dbm, first_us, last_us, count in batch.reads:
            key = epc if bits is None else tag_key(epc, bits)
            tag = self._tags.get(key)
            if tag is None:
                tag = self._tags[key] = len(self._tags)
                fresh.append(BITS.pack(key_bits(key)) + key_epc(key))
            span_us = min(max(0, last_us - first_us), MAX_SPAN_US)
            rows.append(ROW.pack(tag, antenna, dbm, received_us - last_us - offset_us, span_us, min(count, MAX_COUNT)))
        if fresh:
            self._entry(b"T", b"".join(fresh))
        self._entry(b"R", self._head(batch.reader, received_us) + b"".join(rows))

    def samples(self, samples: Sequence[Sample]) -> None:
        """What the scales and inputs of one reader said at one moment."""
        head = self._head(samples[0].reader, samples[0].at_us)
        weights = [
            WEIGHT_ROW.pack(each.channel, CONDITIONS.index(each.condition), _number(each.grams))
            for each in samples
            if isinstance(each, WeightSample)
        ]
        inputs = [
            INPUT_ROW.pack(each.channel, _number(each.value)) for each in samples if isinstance(each, InputSample)
        ]
        if weights:
            self._entry(b"W", head + b"".join(weights))
        if inputs:
            self._entry(b"I", head + b"".join(inputs))

    def condition(self, now_us: int, state: ReaderState) -> None:
        told = {
            "at_us": now_us + self._shift_us,
            "reader": state.reader,
            "condition": state.condition.value,
            "antennas": {str(port): condition.value for port, condition in state.antennas.items()},
            "resting": state.resting,
        }
        self._json(b"C", told)

    def dropped(self, now_us: int, reads: int) -> None:
        self._json(b"D", {"at_us": now_us + self._shift_us, "reads": reads})

    def alive(self, now_us: int) -> None:
        self._json(b"A", {"at_us": now_us + self._shift_us})

    def end(self, now_us: int) -> None:
        self._json(b"E", {"at_us": now_us + self._shift_us})

    def take(self) -> bytes:
        """What was added since the last time, as one block; nothing where that is nothing."""
        entries, self._entries = self._entries, []
        if not entries:
            return b""
        return block_of(zlib.compress(b"".join(entries), LEVEL))

    def _head(self, reader: str, at_us: int) -> bytes:
        name = reader.encode()
        return bytes([len(name)]) + name + RECEIVED.pack(at_us + self._shift_us)

    def _json(self, kind: bytes, value: Mapping[str, Any]) -> None:
        self._entry(kind, json.dumps(value, separators=(",", ":")).encode())

    def _entry(self, kind: bytes, content: bytes) -> None:
        self._entries.append(ENTRY.pack(kind, len(content)) + content)


def block_of(content: bytes) -> bytes:
    """A block with this content."""
    return HEAD.pack(len(content), zlib.crc32(content)) + content


class BlockReader:
    """Bytes of a capture, in any portions, into its blocks. What is not confirmed is not given.

    `good` counts the bytes up to the end of the last good block; `damaged` says that what follows them is none.
    """

    def __init__(self) -> None:
        self.good = 0
        self.damaged = False
        self._buffer = bytearray()

    @property
    def left(self) -> int:
        """Bytes behind the last good block."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The contents of the blocks that are complete now. Raises CaptureError where this is no capture."""
        self._buffer += data
        if not self.good:
            if not MAGIC.startswith(self._buffer[: len(MAGIC)]):
                version = self._buffer.startswith(MAGIC[:-2])
                hint = "a newer tallygate reads it" if version else "name a file that tallygate capture has written"
                raise CaptureError("no capture that can be read here", hint)
            if len(self._buffer) < len(MAGIC):
                return
            self._cut(len(MAGIC))
        while not self.damaged and len(self._buffer) >= HEAD.size:
            length, crc = HEAD.unpack_from(self._buffer)
            if not 0 < length <= MAX_BLOCK_BYTES:
                self.damaged = True
                return
            if len(self._buffer) < HEAD.size + length:
                return
            content = bytes(self._buffer[HEAD.size : HEAD.size + length])
            if zlib.crc32(content) != crc:
                self.damaged = True
                return
            self._cut(HEAD.size + length)
            yield content

    def _cut(self, count: int) -> None:
        del self._buffer[:count]
        self.good += count


class EntryReader:
    """The contents of blocks into entries."""

    def __init__(self) -> None:
        self._tags: list[TagKey] = []

    def entries(self, content: bytes) -> Iterator[Captured]:
        """Raises CaptureError for what its CRC confirms and is no entry all the same."""
        try:
            for kind, entry in _split(content):
                yield from self._entry(kind, entry)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error, zlib.error) as error:
            text = f"a block holds what no capture does: {error}"
            raise CaptureError(text, "it was not written by tallygate capture, or by a newer one") from error

    def _entry(self, kind: bytes, content: bytes) -> Iterator[Captured]:
        match kind:
            case b"T":
                self._learn(content)
            case b"R":
                yield self._batch(content)
            case b"W" | b"I":
                yield from _samples(kind, content)
            case b"F":
                self._tags = []
            case b"S":
                self._tags = []
                about = json.loads(content)
                yield Session(int(about["at_us"]), about)
            case b"C":
                yield _condition(json.loads(content))
            case b"D" | b"A" | b"E":
                told = json.loads(content)
                yield Alive(int(told["at_us"]), int(told.get("reads", 0)), ended=kind == b"E")
            case _:
                raise ValueError(f"an entry of kind {kind!r}")

    def _learn(self, content: bytes) -> None:
        position = 0
        while position < len(content):
            (bits,) = BITS.unpack_from(content, position)
            start = position + BITS.size
            position = start + (bits + 7) // 8
            if position > len(content):
                raise ValueError("a tag goes beyond its entry")
            self._tags.append(tag_key(content[start:position], bits))

    def _batch(self, content: bytes) -> ReadBatch:
        reader, received_us, start = _head(content)
        reads: list[RawRead] = []
        bits = None
        for tag, antenna, dbm, age_us, span_us, count in ROW.iter_unpack(content[start:]):
            key = self._tags[tag]
            last_us = received_us - age_us
            reads.append((key_epc(key), antenna, dbm, last_us - span_us, last_us, count))
            if not isinstance(key, bytes):
                bits = key_bits(key)
        return ReadBatch(reader, received_us, 0, reads, bits)


def _samples(kind: bytes, content: bytes) -> Iterator[Sample]:
    reader, at_us, start = _head(content)
    if kind == b"W":
        for channel, condition, grams in WEIGHT_ROW.iter_unpack(content[start:]):
            yield WeightSample(reader, channel, at_us, CONDITIONS[condition], _told(grams))
    else:
        for channel, value in INPUT_ROW.iter_unpack(content[start:]):
            yield InputSample(reader, channel, at_us, _told(value))


def _head(content: bytes) -> tuple[str, int, int]:
    """Reader and moment of an entry, and where its rows begin."""
    start = 1 + content[0]
    (at_us,) = RECEIVED.unpack_from(content, start)
    return content[1:start].decode(), at_us, start + RECEIVED.size


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _told(number: float) -> float | None:
    return None if math.isnan(number) else number


def _split(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block."""
    unpacker = zlib.decompressobj()
    entries = unpacker.decompress(content, MAX_ENTRIES_BYTES)
    if not unpacker.eof:
        raise ValueError("too much in one block")
    position = 0
    while position < len(entries):
        kind, length = ENTRY.unpack_from(entries, position)
        position += ENTRY.size
        if position + length > len(entries):
            raise ValueError("an entry goes beyond its block")
        yield kind, entries[position : position + length]
        position += length


def _condition(told: Mapping[str, Any]) -> Condition:
    antennas = {int(port): AntennaCondition(value) for port, value in told["antennas"].items()}
    state = ReaderState(
        str(told["reader"]), ReaderCondition(told["condition"]), antennas=antennas, resting=bool(told["resting"])
    )
    return Condition(int(told["at_us"]), state)
