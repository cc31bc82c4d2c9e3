"""sllurp's client library as it comes, against the simulated reader."""

import asyncio
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from sllurp.llrp import LLRPMessage, LLRPReaderClient, LLRPReaderConfig, LLRPReaderState

from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.names import MessageType
from simulators.llrp.packer import element, frame, pack_message
from simulators.llrp.personality import Personality
from simulators.llrp.server import serve_reader
from tests.simulators.judge import TSHARK, malformed
from tests.simulators.llrp.asking import EPCS, Client, rospec

if TYPE_CHECKING:
    from simulators.pcap import Record

WORLD = FixedField({1: EPCS[:2], 2: [EPCS[2], bytes(range(16))]}, rssi_dbm=-61)
SELECTOR = {
    "EnableROSpecID": True,
    "EnableSpecIndex": True,
    "EnableInventoryParameterSpecID": True,
    "EnableAntennaID": True,
    "EnableChannelIndex": True,
    "EnablePeakRSSI": True,
    "EnableFirstSeenTimestamp": True,
    "EnableLastSeenTimestamp": True,
    "EnableTagSeenCount": True,
    "EnableAccessSpecID": True,
    "C1G2EPCMemorySelector": {"EnableCRC": True, "EnablePCBits": True},
}


def _session(port: int, settings: dict[str, Any], enough: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Connect, take `enough` reports, disconnect; runs in a thread, as the library is not asynchronous."""
    reports: list[dict[str, Any]] = []
    states: list[int] = []
    gone = Event()
    client = LLRPReaderClient("127.0.0.1", port, LLRPReaderConfig({"reconnect": False, **settings}), timeout=5)

    def take(_reader: LLRPReaderClient, tags: list[dict[str, Any]]) -> None:
        reports.extend(tags)
        if len(reports) >= enough and not client.disconnect_requested.is_set():
            # Asked from the library's own thread: from another one, an answer that comes at once can overtake it.
            client.disconnect()

    client.add_tag_report_callback(take)
    client.add_state_callback(LLRPReaderState.STATE_INVENTORYING, lambda _reader, state: states.append(state))
    client.add_disconnected_callback(lambda _reader: gone.set())
    client.connect()
    assert gone.wait(10)
    client.join(5)
    assert not client.is_alive()
    return reports, states


@pytest.mark.parametrize(
    ("settings", "enough"),
    [
        ({"report_every_n_tags": 1}, 30),
        ({"report_every_n_tags": 2, "report_timeout_ms": 200}, 30),
        ({"report_every_n_tags": 1, "mode_identifier": 1002, "tx_power_dbm": 25.0, "keepalive_interval": 100}, 150),
        # It stops by itself, and each of the four tags is one report.
        ({"duration": 0.2}, 4),
    ],
    ids=["each tag", "batches", "mode and power", "for a while"],
)
async def test_sllurp_connects_reads_and_leaves(settings: dict[str, Any], enough: int) -> None:
    settings = {"antennas": [1, 2], "tag_content_selector": SELECTOR, **settings}
    async with serve_reader(ReaderDevice(WORLD, Personality(dwell_us=10_000))) as server:
        reports, states = await asyncio.to_thread(_session, server.port, settings, enough)
        assert states == [LLRPReaderState.STATE_INVENTORYING]
        assert {report["AntennaID"] for report in reports} == {1, 2}
        assert {report["EPC"] for report in reports} == {
            *(epc.hex().encode() for epc in EPCS[:3]),
            bytes(range(16)).hex().encode(),
        }
        first = reports[0]
        assert (first["ROSpecID"], first["SpecIndex"], first["InventoryParameterSpecID"]) == (1, 1, 1)
        assert (first["PeakRSSI"], first["ChannelIndex"]) == (-61, 1)
        assert first["LastSeenTimestampUTC"] >= first["FirstSeenTimestampUTC"]
        # It deleted its ROSpec on leaving.
        assert server.device.operations.rospec_parameters() == ()


async def test_sllurp_can_come_twice() -> None:
    async with serve_reader(ReaderDevice(WORLD)) as server:
        for _ in range(2):
            reports, _ = await asyncio.to_thread(_session, server.port, {"report_every_n_tags": 1}, 1)
            assert reports
        assert server.connections == 2


def test_sllurp_reads_every_answer() -> None:
    """What the simulated reader packs means the same to another reader of the standard."""
    client = Client(Personality(leftover_rospecs=(9,)))
    client.connect()
    client.ask(MessageType.GET_READER_CAPABILITIES, RequestedData=0)
    caps = LLRPMessage(msgbytes=client.sent[-1]).msgdict["GET_READER_CAPABILITIES_RESPONSE"]
    assert caps["LLRPStatus"]["StatusCode"] == "Success"
    assert caps["GeneralDeviceCapabilities"]["ModelName"] == 2001002
    assert caps["LLRPCapabilities"]["MaxNumROSpec"] == 1
    band = caps["RegulatoryCapabilities"]["UHFBandCapabilities"]
    assert len(band["UHFC1G2RFModeTable"]["UHFC1G2RFModeTableEntry"]) == 10
    client.ask(MessageType.ADD_ROSPEC, rospec(priority=8))
    refused = LLRPMessage(msgbytes=client.sent[-1]).msgdict["ADD_ROSPEC_RESPONSE"]["LLRPStatus"]
    assert refused["StatusCode"] == "ParameterError"
    assert refused["ErrorDescription"] == b"priority 8"
    client.send(frame(MessageType.KEEPALIVE, 3, b""))
    assert LLRPMessage(msgbytes=client.sent[-1]).getName() == "ERROR_MESSAGE"
    client.send(
        pack_message(
            element(MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0), 5
        )
    )
    config = LLRPMessage(msgbytes=client.sent[-1]).msgdict["GET_READER_CONFIG_RESPONSE"]
    assert config["LLRPStatus"]["StatusCode"] == "Success"
    assert [a["AntennaID"] for a in config["AntennaProperties"]] == [1, 2, 3, 4]


@pytest.mark.skipif(not TSHARK, reason="tshark is not installed (Debian package tshark)")
async def test_tshark_finds_nothing_malformed_in_a_session_with_sllurp(tmp_path: Path) -> None:
    records: list[Record] = []
    async with serve_reader(ReaderDevice(WORLD), record=records.append) as server:
        settings = {"antennas": [1, 2], "tag_content_selector": SELECTOR, "report_every_n_tags": 1}
        await asyncio.to_thread(_session, server.port, settings, 10)
    assert {record.from_server for record in records} == {True, False}
    assert malformed(tmp_path, records) == []
