"""Tag reports: what a ROSpec asks to be told, accumulation between reports, and the bytes of a report."""

import struct
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulators.field import Sighting
from simulators.llrp.impinj import content as vendor_parameters
from simulators.llrp.impinj import wanted_content
from simulators.llrp.layouts import PARAMETERS
from simulators.llrp.names import MessageType, ReportTrigger
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, element, frame

# A report of more tags is cut into several messages; real readers send no larger ones.
MAX_REPORTS_PER_MESSAGE = 500
# TagSeenCount has 16 bits (section 16.2.7.3.12).
_MAX_SEEN_COUNT = 0xFFFF

_UPTIME = {
    P.FirstSeenTimestampUTC: P.FirstSeenTimestampUptime,
    P.LastSeenTimestampUTC: P.LastSeenTimestampUptime,
}


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """When to report, and which of the optional fields (section 13.2.1)."""

    trigger: ReportTrigger
    n: int
    enabled: frozenset[str]
    vendor_content: frozenset[int] = frozenset()

    @classmethod
    def of(cls, parameter: Element) -> "ReportSpec":
        """From a ROReportSpec."""
        selector = parameter.one(P.TagReportContentSelector)
        parts = (selector, *selector.every(P.C1G2EPCMemorySelector))
        enabled = frozenset(name for part in parts for name, on in part.fields.items() if on)
        return cls(
            ReportTrigger(parameter.num("ROReportTrigger")), parameter.num("N"), enabled, wanted_content(parameter)
        )


def report_spec(trigger: ReportTrigger, n: int, on: frozenset[str]) -> Element:
    """A ROReportSpec with the selectors `on`."""
    flags = {item.name: int(item.name in on) for item in PARAMETERS[P.TagReportContentSelector].fields if item.name}
    memory = element(P.C1G2EPCMemorySelector, EnableCRC=int("EnableCRC" in on), EnablePCBits=int("EnablePCBits" in on))
    selector = element(P.TagReportContentSelector, memory, **flags)
    return element(P.ROReportSpec, selector, ROReportTrigger=trigger, N=n)


@dataclass(slots=True)
class Tally:
    """Observations of one tag that will be one report."""

    rospec_id: int
    epc: bytes
    epc_bits: int
    spec_index: int
    inventory_spec_id: int
    antenna: int
    peak_rssi_dbm: int
    channel: int
    first_us: int
    last_us: int
    seen: int = 1


class Reporter:
    """Accumulates observations of one running ROSpec and packs them; returns bodies of RO_ACCESS_REPORT."""

    def __init__(
        self,
        rospec_id: int,
        spec: ReportSpec,
        *,
        uptime: bool,
        omits_unchanged: bool,
        counts_each_as: int = 1,
        trailer: bytes = b"",
    ) -> None:
        self.spec = spec
        self._rospec_id = rospec_id
        self._omits_unchanged = omits_unchanged
        self._counts_each_as = counts_each_as
        self._trailer = trailer
        self._tallies: dict[tuple[bytes, int, int, int, int], Tally] = {}
        self._last: dict[P, int] = {}
        self._fields = [
            (_UPTIME[kind] if uptime and kind in _UPTIME else kind, code, value)
            for name, kind, code, value in _OPTIONAL
            if name in spec.enabled
        ]
        self._whole = struct.Struct(">" + "".join(f"B{code}" for _, code, _ in self._fields))
        self._values = [(0x80 | kind, value_of) for kind, _, value_of in self._fields]
        self._by_antenna = "EnableAntennaID" in spec.enabled
        self._by_spec = "EnableSpecIndex" in spec.enabled
        self._by_inventory = "EnableInventoryParameterSpecID" in spec.enabled

    def add(self, sighting: Sighting, stamp_us: int, place: tuple[int, int, int]) -> bool:
        """Count one observation at (SpecIndex, InventoryParameterSpecID, AntennaID); True when a report is due.

        Observations that agree in the EPC and in every enabled identifying field become one report (section 13.2.3.1).
        """
        epc, bits, rssi_dbm, _, channel = sighting
        spec_index, inventory_spec_id, antenna = place
        key = (
            epc,
            bits,
            antenna if self._by_antenna else 0,
            spec_index if self._by_spec else 0,
            inventory_spec_id if self._by_inventory else 0,
        )
        tally = self._tallies.get(key)
        if tally is None:
            self._tallies[key] = Tally(
                self._rospec_id,
                epc,
                bits,
                spec_index,
                inventory_spec_id,
                antenna,
                rssi_dbm,
                channel,
                stamp_us,
                stamp_us,
                self._counts_each_as,
            )
        else:
            tally.peak_rssi_dbm = max(tally.peak_rssi_dbm, rssi_dbm)
            tally.last_us = stamp_us
            tally.seen = min(tally.seen + self._counts_each_as, _MAX_SEEN_COUNT)
        return self.spec.trigger is not ReportTrigger.NONE and 0 < self.spec.n <= len(self._tallies)

    def flush(self) -> Iterator[tuple[int, bytes]]:
        """Everything accumulated, as (tags, body) of one message or more; nothing when there is nothing."""
        tallies = list(self._tallies.values())
        self._tallies.clear()
        for at in range(0, len(tallies), MAX_REPORTS_PER_MESSAGE):
            part = tallies[at : at + MAX_REPORTS_PER_MESSAGE]
            yield len(part), b"".join(map(self.pack, part))

    def pack(self, tally: Tally) -> bytes:
        """One TagReportData with exactly the fields that were asked for."""
        if tally.epc_bits == 96:
            content = [bytes((0x80 | P.EPC_96,)), tally.epc]
        else:
            content = [struct.pack(">HHH", P.EPCData, 6 + len(tally.epc), tally.epc_bits), tally.epc]
        if self._omits_unchanged:
            for kind, code, value_of in self._fields:
                value = value_of(tally)
                if self._last.get(kind) != value:
                    self._last[kind] = value
                    content.append(struct.pack(f">B{code}", 0x80 | kind, value))
        else:
            content.append(self._whole.pack(*(part for tag, of in self._values for part in (tag, of(tally)))))
        content += vendor_parameters(tally, self.spec.vendor_content)
        content.append(self._trailer)
        body = b"".join(content)
        return struct.pack(">HH", P.TagReportData, 4 + len(body)) + body


def protocol_control(epc_bits: int) -> int:
    """The StoredPC word of a GS1 tag: its length in words, no user memory (Gen2, section 6.3.2.1.2.2)."""
    return (epc_bits + 15) // 16 << 11


def stored_crc(epc: bytes, epc_bits: int) -> int:
    """The CRC-16 over PC and EPC that a Gen2 tag keeps (Gen2, annex F): poly 0x1021, preset and final XOR 0xFFFF."""
    words = (epc_bits + 15) // 16
    return crc_hqx(protocol_control(epc_bits).to_bytes(2, "big") + epc.ljust(words * 2, b"\0"), 0xFFFF) ^ 0xFFFF


# The optional fields in the order of the standard (section 16.2.7.3): selector, parameter, format, value.
_OPTIONAL: tuple[tuple[str, P, str, Callable[[Tally], int]], ...] = (
    ("EnableROSpecID", P.ROSpecID, "I", lambda t: t.rospec_id),
    ("EnableSpecIndex", P.SpecIndex, "H", lambda t: t.spec_index),
    ("EnableInventoryParameterSpecID", P.InventoryParameterSpecID, "H", lambda t: t.inventory_spec_id),
    ("EnableAntennaID", P.AntennaID, "H", lambda t: t.antenna),
    ("EnablePeakRSSI", P.PeakRSSI, "b", lambda t: t.peak_rssi_dbm),
    ("EnableChannelIndex", P.ChannelIndex, "H", lambda t: t.channel),
    ("EnableFirstSeenTimestamp", P.FirstSeenTimestampUTC, "Q", lambda t: t.first_us),
    ("EnableLastSeenTimestamp", P.LastSeenTimestampUTC, "Q", lambda t: t.last_us),
    ("EnableTagSeenCount", P.TagSeenCount, "H", lambda t: t.seen),
    ("EnablePCBits", P.C1G2_PC, "H", lambda t: protocol_control(t.epc_bits)),
    ("EnableCRC", P.C1G2_CRC, "H", lambda t: stored_crc(t.epc, t.epc_bits)),
    ("EnableAccessSpecID", P.AccessSpecID, "I", lambda _: 0),  # no AccessSpec ever runs
)


def report_message(body: bytes, message_id: int, version: int) -> bytes:
    """A whole RO_ACCESS_REPORT."""
    return frame(MessageType.RO_ACCESS_REPORT, message_id, body, version)
