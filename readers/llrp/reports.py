"""RO_ACCESS_REPORT bodies to reads. Pure, and the hottest code of the gateway.

Nearly all reports of a stream have one shape: the same parameters, in the same order, of the same sizes. A shape is
learnt once, by the walker of parameters.py; from then on

1. a body that repeats the hot shape is recognised by ONE comparison (every type and length byte at once, as a big
   integer under a mask) and unpacked by one compiled Struct;
2. a body of mixed shapes is taken report by report, each compared with the known shapes of its size;
3. anything else goes to the walker, which learns its shape if it has one.

All three give the same reads.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from struct import Struct
from typing import Final

from readers.llrp.parameters import (
    TLV_HEADER_BYTES,
    Field,
    ParameterType,
    Report,
    ReportError,
    report_error,
    tlv_header,
    walk_report,
)
from readers.model import NO_RSSI_DBM, RawRead

MAX_SHAPES: Final = 64
"""A reader shows a handful (EPC sizes times optional fields); past this many the table is started anew."""

MAX_MASKED_BYTES: Final = 16 * 1024
"""A longer body is compared report by report: its mask would be as large, and it is rare (with MAX_MASKS: 8 MB)."""

MAX_MASKS: Final = 256
"""Masks are kept per body length (reports per message vary); dropped together past this many."""

EPC: Final = 0
ANTENNA: Final = 1
RSSI: Final = 2
FIRST: Final = 3
LAST: Final = 4
COUNT: Final = 5
"""Positions in a RawRead."""

SLOTS: Final = {
    int(ParameterType.EPC_96): EPC,
    int(ParameterType.EPC_DATA): EPC,
    int(ParameterType.ANTENNA_ID): ANTENNA,
    int(ParameterType.PEAK_RSSI): RSSI,
    int(ParameterType.FIRST_SEEN_UPTIME): FIRST,
    int(ParameterType.FIRST_SEEN_UTC): FIRST,
    int(ParameterType.LAST_SEEN_UPTIME): LAST,
    int(ParameterType.LAST_SEEN_UTC): LAST,
    int(ParameterType.TAG_SEEN_COUNT): COUNT,
}
SLOT_FORMS: Final = ("{}s", "H", "b", "Q", "Q", "H")
UPTIMES: Final = (ParameterType.FIRST_SEEN_UPTIME, ParameterType.LAST_SEEN_UPTIME)

NO_READ: Final[RawRead] = (b"", 0, NO_RSSI_DBM, 0, 0, 1)
"""What a field is worth before any report carried it; a stamp of 0 says that the reader sends none."""

Unpack = Callable[[bytes], Iterable[RawRead]]


def _wanted(fields: Report) -> dict[int, Field]:
    """Slot -> the field that fills it: the last of its kind, and UTC rather than uptime where both are sent."""
    chosen: dict[int, Field] = {}
    for field in fields:
        slot = SLOTS.get(field.kind)
        if slot is None:
            continue
        before = chosen.get(slot)
        if before is None or before.kind in UPTIMES or field.kind not in UPTIMES:
            chosen[slot] = field
    return chosen


def _substitute(slot: int, present: Iterable[int], seen: Iterable[int]) -> int | None:
    """The slot whose value an absent stamp takes when the reader never sends it; None: the last value sent."""
    other = {FIRST: LAST, LAST: FIRST}.get(slot)
    return other if other is not None and other in present and slot not in seen else None


class Shape:
    """What all reports of one make have in common, compiled.

    `mask` and `pattern` cover every byte that says what the other bytes mean. `iter_unpack` gives the wanted fields
    in wire order, `canonical` says that this is a RawRead already.
    """

    __slots__ = ("canonical", "iter_unpack", "mask", "order", "pattern", "size", "unpack")

    def __init__(self, body: bytes, start: int, end: int, fields: Report) -> None:
        self.size = end - start
        chosen = {id(field): slot for slot, field in _wanted(fields).items()}
        form = [f"{TLV_HEADER_BYTES}x"]
        mask = bytearray(self.size)
        mask[:TLV_HEADER_BYTES] = b"\xff" * TLV_HEADER_BYTES
        order: list[int] = []
        for field in fields:
            head = field.value_start - field.start
            mask[field.start - start : field.value_start - start] = b"\xff" * head
            slot = chosen.get(id(field))
            size = field.end - field.value_start
            if slot is None:
                form.append(f"{head + size}x")
            else:
                order.append(slot)
                form.append(f"{head}x" + SLOT_FORMS[slot].format(size))
        compiled = Struct(">" + "".join(form))
        self.mask = int.from_bytes(mask, "big")
        self.pattern = int.from_bytes(body[start:end], "big") & self.mask
        self.order = tuple(order)
        self.canonical = self.order == (EPC, ANTENNA, RSSI, FIRST, LAST, COUNT)
        self.unpack = compiled.unpack
        self.iter_unpack = compiled.iter_unpack

    def repeated(self, times: int) -> tuple[int, int]:
        """(mask, pattern) of a body of `times` such reports."""
        mask = self.mask.to_bytes(self.size, "big") * times
        pattern = self.pattern.to_bytes(self.size, "big") * times
        return int.from_bytes(mask, "big"), int.from_bytes(pattern, "big")


class ReportDecoder:
    """The reports of one connection. `decode` appends reads and gives back what was wrong, and never raises.

    An enabled field that is absent from a report has the value it had last (LLRP 1.0.1 section 16.2.7.3), so a
    decoder lives as long as its connection and no longer. EPCs whose bit count is no multiple of 8 are kept apart:
    `take_odd` hands them over.
    """

    __slots__ = ("_hot", "_last", "_masks", "_odd", "_pick", "_seen", "_shapes", "_unpack")

    def __init__(self) -> None:
        self._last: RawRead = NO_READ
        self._seen: set[int] = set()
        self._shapes: dict[int, list[Shape]] = {}
        self._pick: dict[tuple[int, ...], Callable[[tuple[object, ...]], RawRead]] = {}
        self._odd: dict[int, list[RawRead]] = {}
        self._hot: Shape | None = None
        self._masks: dict[int, tuple[int, int]] = {}
        self._unpack: Unpack = self._filled

    def decode(self, body: bytes, into: list[RawRead]) -> ReportError | None:
        """Append the reads of one RO_ACCESS_REPORT body to `into`; reads before an error are kept."""
        known = self._masks.get(len(body))
        if known is not None and int.from_bytes(body, "big") & known[0] == known[1]:
            into += self._unpack(body)
            self._last = into[-1]
            return None
        return self._decode_mixed(body, into)

    def take_odd(self) -> list[tuple[int, list[RawRead]]]:
        """(bit count, reads) of the EPCs with no whole number of bytes, padded with zero bits; empties the store."""
        if not self._odd:
            return []
        taken, self._odd = self._odd, {}
        return list(taken.items())

    def _decode_mixed(self, body: bytes, into: list[RawRead]) -> ReportError | None:
        at = 0
        shape: Shape | None = None
        alike = True
        while at < len(body):
            header = tlv_header(body, at, len(body))
            if isinstance(header, ReportError):
                return header
            kind, end = header
            if kind != ParameterType.TAG_REPORT_DATA:
                alike = False
                at = end
                continue
            found = self._match(body, at, end)
            if found is None:
                learnt = self._walk(body, at, end, into)
                if isinstance(learnt, ReportError):
                    return learnt
                found = learnt
            else:
                self._last = self._whole(found, found.unpack(body[at:end]))
                into.append(self._last)
            alike = alike and found is not None and shape in {None, found}
            shape = found
            at = end
        if alike and shape is not None and len(body) <= MAX_MASKED_BYTES:
            self._warm(shape, len(body))
        return None

    def _match(self, body: bytes, at: int, end: int) -> Shape | None:
        for shape in self._shapes.get(end - at, ()):
            if int.from_bytes(body[at:end], "big") & shape.mask == shape.pattern:
                return shape
        return None

    def _walk(self, body: bytes, at: int, end: int, into: list[RawRead]) -> Shape | ReportError | None:
        """Read one report field by field; gives the shape it taught, if it has one."""
        fields = walk_report(body, at + TLV_HEADER_BYTES, end)
        if isinstance(fields, ReportError):
            return fields
        chosen = _wanted(fields)
        epc = chosen.get(EPC)
        if epc is None or not isinstance(epc.value, bytes):
            return report_error("a tag report without an EPC", body, at)
        if not chosen.keys() <= self._seen:
            # A kind of field that was never sent until now changes how others are filled in.
            self._seen |= chosen.keys()
            self._pick.clear()
        shape = Shape(body, at, end, fields)
        read = self._whole(shape, shape.unpack(body[at:end]))
        spare = -epc.bits % 8
        if spare:
            clean = epc.value[:-1] + bytes((epc.value[-1] >> spare << spare,))
            self._last = (clean, *read[1:])
            self._odd.setdefault(epc.bits, []).append(self._last)
            return None
        self._last = read
        into.append(read)
        if sum(map(len, self._shapes.values())) >= MAX_SHAPES:
            self._shapes.clear()
        self._shapes.setdefault(shape.size, []).append(shape)
        return shape

    def _warm(self, shape: Shape, length: int) -> None:
        """Make `shape` the one that whole bodies are compared with."""
        if shape is not self._hot or len(self._masks) >= MAX_MASKS:
            self._hot = shape
            self._masks = {}
            self._unpack = shape.iter_unpack if shape.canonical else self._filled
        self._masks[length] = shape.repeated(length // shape.size)

    def _filled(self, body: bytes) -> Iterator[RawRead]:
        """The reads of a body of the hot shape, absent fields filled in and all in a RawRead's order."""
        if self._hot is None:
            return iter(())
        pick, last = self._picker(self._hot.order), self._last
        return (pick((*fields, *last)) for fields in self._hot.iter_unpack(body))

    def _whole(self, shape: Shape, fields: tuple[object, ...]) -> RawRead:
        return self._picker(shape.order)((*fields, *self._last))

    def _picker(self, order: tuple[int, ...]) -> Callable[[tuple[object, ...]], RawRead]:
        """What turns (the fields sent, then the whole last read) into a read."""
        pick = self._pick.get(order)
        if pick is None:
            positions: list[int] = []
            for slot in range(len(NO_READ)):
                source = slot if slot in order else _substitute(slot, order, self._seen)
                positions.append(len(order) + slot if source is None else order.index(source))
            pick = itemgetter(*positions)
            self._pick[order] = pick
        return pick
