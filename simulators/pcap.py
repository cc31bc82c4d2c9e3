"""Writes a recorded TCP session as a classic pcap file, so that tools that judge captures can judge it.

Format: libpcap's, link type 101 (raw IP). The TCP/IP headers carry right lengths and sequence numbers; checksums are 0,
which dissectors take as not captured.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

_GLOBAL = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_IP = struct.Struct(">BBHHHBBH4s4s")
_TCP = struct.Struct(">HHIIBBHHH")
_MAGIC = 0xA1B2C3D4
_RAW_IP = 101
_SNAP_BYTES = 65535
# A segment of this size fits one IP packet with room to spare.
_SEGMENT_BYTES = 32_768
_PSH_ACK, _SYN, _SYN_ACK, _ACK = 0x18, 0x02, 0x12, 0x10
_TCP_PROTOCOL = 6


class Record(NamedTuple):
    """Bytes that went over the wire at a moment; `from_server` says which way."""

    at_us: int
    from_server: bool
    data: bytes


def pcap(records: Iterable[Record], *, server_port: int, client_port: int = 49152) -> bytes:
    """A whole pcap file of one session, opened with a handshake."""
    out = [_GLOBAL.pack(_MAGIC, 2, 4, 0, 0, _SNAP_BYTES, _RAW_IP)]
    sides = ((IPv4Address("127.0.0.1").packed, client_port), (IPv4Address("127.0.0.2").packed, server_port))
    # Next sequence numbers of client and server.
    sequence = [1000, 5000]

    def packet(at_us: int, side: int, flags: int, data: bytes = b"") -> None:
        (source, source_port), (sink, sink_port) = sides[side], sides[1 - side]
        ack = sequence[1 - side] if flags != _SYN else 0
        tcp = _TCP.pack(source_port, sink_port, sequence[side], ack, 5 << 4, flags, 65535, 0, 0) + data
        ip = _IP.pack(0x45, 0, _IP.size + len(tcp), 0, 0, 64, _TCP_PROTOCOL, 0, source, sink) + tcp
        out.append(_RECORD.pack(at_us // 1_000_000, at_us % 1_000_000, len(ip), len(ip)) + ip)
        sequence[side] += len(data) + (1 if flags & _SYN else 0)

    for number, record in enumerate(records):
        if number == 0:
            packet(record.at_us, 0, _SYN)
            packet(record.at_us, 1, _SYN_ACK)
            packet(record.at_us, 0, _ACK)
        for at in range(0, len(record.data), _SEGMENT_BYTES):
            packet(record.at_us, int(record.from_server), _PSH_ACK, record.data[at : at + _SEGMENT_BYTES])
    return b"".join(out)
