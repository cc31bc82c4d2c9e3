"""What vendors add to a tag report, for diagnosis: phase, Doppler shift, fine signal, TID. Pure.

Reads themselves never need it (reports.py skips it at full speed). Here too the reports of a stream have one shape,
which is learnt once: a body that repeats it is recognised by one comparison, and unpacked by one compiled Struct.
"""

from collections.abc import Callable, Iterator
from operator import itemgetter
from struct import Struct
from typing import Any, Final, NamedTuple

from readers.llrp import impinj
from readers.llrp.impinj import ParameterSubtype
from readers.llrp.parameters import CUSTOM_HEAD, TLV_HEADER_BYTES, Field, ParameterType, Report, walk_fields
from readers.llrp.reports import Shape
from readers.llrp.vendors import TAG_NUMBERS, WORD_LISTS, ZEBRA, ZEBRA_TAG_PHASE

MAX_SHAPES: Final = 64
"""Bodies of so many lengths are known at once; then the table is started anew."""


class TagDetail(NamedTuple):
    """One report's extras, None where it carries none.

    `rssi_cdbm` in 1/100 dBm, `phase` in 1/4096 turns, `doppler_16hz` in 1/16 Hz, `tid` as the tag's own bytes.
    """

    epc: bytes
    antenna: int | None = None
    channel: int | None = None
    rssi_cdbm: int | None = None
    phase: int | None = None
    doppler_16hz: int | None = None
    tid: bytes | None = None


SLOTS: Final = {
    (0, int(ParameterType.EPC_96)): "epc",
    (0, int(ParameterType.EPC_DATA)): "epc",
    (0, int(ParameterType.ANTENNA_ID)): "antenna",
    (0, int(ParameterType.CHANNEL_INDEX)): "channel",
    (impinj.VENDOR, int(ParameterSubtype.PEAK_RSSI)): "rssi_cdbm",
    (impinj.VENDOR, int(ParameterSubtype.RF_PHASE_ANGLE)): "phase",
    (ZEBRA, ZEBRA_TAG_PHASE): "phase",
    (impinj.VENDOR, int(ParameterSubtype.RF_DOPPLER_FREQUENCY)): "doppler_16hz",
    (impinj.VENDOR, int(ParameterSubtype.SERIALIZED_TID)): "tid",
}
CUSTOM_BYTES: Final = TLV_HEADER_BYTES + CUSTOM_HEAD.size
NUMBERS: Final = {"antenna": "H", "channel": "H"}

Known = tuple[int, int, Callable[[bytes], Iterator[TagDetail]]]
"""(mask, pattern, what unpacks) of bodies of one length."""


def detail_of(fields: Report) -> TagDetail | None:
    """The extras of one report that was walked; None where it has no EPC."""
    found = {slot: field.value for field in fields if (slot := _slot(field)) is not None}
    return TagDetail(**found) if "epc" in found else None  # type: ignore[arg-type]  # the slot says which type it has


class DetailDecoder:
    """The extras of one connection's reports."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}

    def decode(self, body: bytes) -> list[TagDetail]:
        """Of every whole report in one RO_ACCESS_REPORT body; what is wrong with the rest is for reports.py to say."""
        known = self._known.get(len(body))
        if known is not None and int.from_bytes(body, "big") & known[0] == known[1]:
            return list(known[2](body))
        reports, error = walk_fields(body)
        details = [detail for fields in reports if (detail := detail_of(fields)) is not None]
        if error is None and details:
            self._learn(body, reports)
        return details

    def _learn(self, body: bytes, reports: list[Report]) -> None:
        start = reports[0][0].start - TLV_HEADER_BYTES
        shape = Shape(body, start, reports[0][-1].end, reports[0])
        if start or len(body) % shape.size:
            return
        mask, pattern = shape.repeated(len(body) // shape.size)
        if int.from_bytes(body, "big") & mask == pattern:
            if len(self._known) >= MAX_SHAPES:
                self._known.clear()
            self._known[len(body)] = (mask, pattern, _unpacker(reports[0]))


def _slot(field: Field) -> str | None:
    key = (field.vendor, field.subtype) if field.kind == ParameterType.CUSTOM else (0, field.kind)
    sized = not isinstance(field.value, bytes) or not (key in TAG_NUMBERS or _is_unread_list(field, key))
    return SLOTS.get(key) if sized else None


def _is_unread_list(field: Field, key: tuple[int, int]) -> bool:
    """A list of words whose count does not agree with its size: the walker has left the count in its value."""
    return key in WORD_LISTS and field.value_start - field.start == CUSTOM_BYTES


def _unpacker(fields: Report) -> Callable[[bytes], Iterator[TagDetail]]:
    """What makes details of a body that consists of reports with such fields and nothing else."""
    form = [">4x"]
    order: list[str] = []
    for field in fields:
        slot, size = _slot(field), field.end - field.value_start
        form.append(f"{field.value_start - field.start}x")
        if slot is None:
            form.append(f"{size}x")
            continue
        number = TAG_NUMBERS.get((field.vendor, field.subtype))
        form.append(NUMBERS.get(slot) or (f"{size}s" if number is None else number.format[1:]))
        order.append(slot)
    compiled = Struct("".join(form))
    # The last of a kind counts; what is not sent is the None behind the values.
    positions = [
        len(order) - 1 - order[::-1].index(slot) if slot in order else len(order) for slot in TagDetail._fields
    ]
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(*positions)

    def unpack(body: bytes) -> Iterator[TagDetail]:
        return (TagDetail(*pick((*values, None))) for values in compiled.iter_unpack(body))

    return unpack
