import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.llrp.capabilities import Capabilities
from simulators.llrp.names import (
    ConfigRequest,
    ConnectionStatus,
    EventType,
    MessageType,
    StatusCode,
)
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, Frame, element, frame, pack_message, read_message
from simulators.llrp.personality import Personality, ReaderClock
from tests.simulators.llrp.asking import (
    START_US,
    Client,
    connected,
    event_kinds,
    events,
    listen,
    read_all,
    rospec,
    status,
    tags,
)


def test_greets_with_the_connection_event_and_its_time() -> None:
    (greeting,) = Client().connect()
    data = greeting.one(P.ReaderEventNotificationData)
    assert data.one(P.UTCTimestamp).num("Microseconds") == START_US
    assert data.one(P.ConnectionAttemptEvent).num("Status") == ConnectionStatus.SUCCESS


@pytest.mark.parametrize(
    ("clock", "kind", "shown_us"),
    [
        (ReaderClock(offset_us=-3 * 3600 * 10**6), P.UTCTimestamp, START_US - 3 * 3600 * 10**6),
        (ReaderClock(uptime=True, booted_us=START_US - 5_000_000), P.Uptime, 5_000_000),
        (ReaderClock(drift_ppm=50, booted_us=START_US - 10**12), P.UTCTimestamp, START_US + 50_000_000),
    ],
)
def test_shows_its_own_clock_everywhere(clock: ReaderClock, kind: P, shown_us: int) -> None:
    client = Client(Personality(clock=clock))
    (greeting,) = client.connect()
    assert greeting.one(P.ReaderEventNotificationData).one(kind).num("Microseconds") == shown_us
    client.run(rospec(on=frozenset({"EnableFirstSeenTimestamp"})))
    first = tags(client.wait(50))[0]
    stamp = P.FirstSeenTimestampUptime if clock.uptime else P.FirstSeenTimestampUTC
    assert first.one(stamp).num("Microseconds") == shown_us


def test_a_second_client_is_refused_and_the_first_one_told() -> None:
    client = connected()
    refused, notice = client.device.refuse(client.now_us)
    assert refused.close
    assert events(read_all(refused.data))[0].num("Status") == ConnectionStatus.CLIENT_INITIATED_EXISTS
    assert events(read_all(notice.data))[0].num("Status") == ConnectionStatus.ANOTHER_ATTEMPTED
    assert not notice.close


def test_close_connection_is_answered_then_done() -> None:
    client = connected()
    (answer,) = client.ask(MessageType.CLOSE_CONNECTION, message_id=5)
    assert answer.type is MessageType.CLOSE_CONNECTION_RESPONSE
    assert status(answer) == 0
    assert client.closed


def test_a_new_connection_does_not_see_the_half_frame_of_the_old_one() -> None:
    client = connected()
    client.send(pack_message(element(MessageType.START_ROSPEC, ROSpecID=1), 1)[:9])
    client.device.disconnect()
    client.connect()
    (answer,) = client.ask(MessageType.GET_ROSPECS)
    assert answer.type is MessageType.GET_ROSPECS_RESPONSE


def test_capabilities_are_those_of_a_r420() -> None:
    (answer,) = connected().ask(MessageType.GET_READER_CAPABILITIES, RequestedData=0)
    general = answer.one(P.GeneralDeviceCapabilities)
    assert (general.num("DeviceManufacturerName"), general.num("ModelName")) == (25882, 2001002)
    assert general.num("MaxNumberOfAntennaSupported") == 4
    band = answer.one(P.RegulatoryCapabilities).one(P.UHFBandCapabilities)
    powers = [entry.num("TransmitPowerValue") for entry in band.every(P.TransmitPowerLevelTableEntry)]
    assert powers == list(range(1000, 3251, 25))
    modes = band.one(P.C1G2UHFRFModeTable).every(P.C1G2UHFRFModeTableEntry)
    assert [mode.num("ModeIdentifier") for mode in modes] == [0, 1, 2, 3, 4, 1000, 1002, 1003, 1004, 1005]
    (table,) = band.one(P.FrequencyInformation).every(P.FrequencyHopTable)
    assert sorted(table.nums("Frequency")) == list(range(902_750, 927_251, 500))
    assert answer.one(P.LLRPCapabilities).num("MaxNumROSpecs") == 1


@pytest.mark.parametrize(
    ("request_kind", "kinds"),
    [
        (1, {P.GeneralDeviceCapabilities}),
        (2, {P.LLRPCapabilities}),
        (3, {P.RegulatoryCapabilities}),
        (4, {P.C1G2LLRPCapabilities}),
    ],
)
def test_capabilities_in_parts(request_kind: int, kinds: set[P]) -> None:
    (answer,) = connected().ask(MessageType.GET_READER_CAPABILITIES, RequestedData=request_kind)
    assert {child.type for child in answer.children} == kinds | {P.LLRPStatus}


def test_fixed_frequencies_where_hopping_is_not_used() -> None:
    client = connected(Personality(capabilities=Capabilities(fixed_frequencies_khz=(865_700, 866_300))))
    (answer,) = client.ask(MessageType.GET_READER_CAPABILITIES, RequestedData=3)
    information = answer.one(P.RegulatoryCapabilities).one(P.UHFBandCapabilities).one(P.FrequencyInformation)
    assert information.num("Hopping") == 0
    assert information.one(P.FixedFrequencyTable).nums("Frequency") == (865_700, 866_300)


def test_config_comes_whole_and_in_parts() -> None:
    client = connected()
    (whole,) = client.ask(MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0)
    parts: list[Element] = []
    for wanted in list(ConfigRequest)[1:]:
        (part,) = client.ask(
            MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=wanted, GPIPortNum=0, GPOPortNum=0
        )
        parts += part.children[1:]
    assert sorted(map(repr, parts)) == sorted(map(repr, whole.children[1:]))
    (one,) = client.ask(MessageType.GET_READER_CONFIG, AntennaID=2, RequestedData=2, GPIPortNum=0, GPOPortNum=0)
    assert [p.num("AntennaID") for p in one.every(P.AntennaProperties)] == [2]


def test_config_changes_stay_until_reset() -> None:
    client = connected()
    power = element(P.RFTransmitter, HopTableID=1, ChannelIndex=0, TransmitPower=5)
    (answer,) = client.ask(
        MessageType.SET_READER_CONFIG,
        element(P.AntennaConfiguration, power, AntennaID=0),
        element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=10_000),
        element(P.EventsAndReports, HoldEventsAndReportsUponReconnect=1),
        ResetToFactoryDefault=0,
    )
    assert status(answer) == 0
    client.device.disconnect()
    client.connect()

    def config() -> tuple[list[int], int, int, int]:
        (shown,) = client.ask(MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0)
        antennas = shown.every(P.AntennaConfiguration)
        return (
            [antenna.one(P.RFTransmitter).num("TransmitPower") for antenna in antennas],
            shown.one(P.KeepaliveSpec).num("PeriodicTriggerValue"),
            shown.one(P.EventsAndReports).num("HoldEventsAndReportsUponReconnect"),
            shown.one(P.LLRPConfigurationStateValue).num("LLRPConfigurationStateValue"),
        )

    powers, keepalive_ms, hold, value = config()
    assert (powers, keepalive_ms, hold) == ([5] * 4, 10_000, 1)
    client.ask(MessageType.SET_READER_CONFIG, ResetToFactoryDefault=1)
    powers, keepalive_ms, hold, value_after = config()
    assert (powers, keepalive_ms, hold) == ([91] * 4, 0, 0)
    assert value_after != value


def test_a_bad_setting_changes_nothing() -> None:
    client = connected()
    bad = element(P.RFTransmitter, HopTableID=9, ChannelIndex=0, TransmitPower=5)
    (answer,) = client.ask(
        MessageType.SET_READER_CONFIG,
        element(P.AntennaConfiguration, bad, AntennaID=1),
        element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=10_000),
        ResetToFactoryDefault=0,
    )
    assert status(answer) == StatusCode.M_ParameterError
    outer = answer.one(P.LLRPStatus).one(P.ParameterError)
    assert outer.num("ParameterType") == P.AntennaConfiguration
    inner = outer.one(P.ParameterError)
    assert (inner.num("ParameterType"), inner.num("ErrorCode")) == (P.RFTransmitter, StatusCode.P_FieldError)
    assert inner.one(P.FieldError).num("FieldNum") == 0
    assert client.device.configuration.keepalive_us is None


def test_what_cannot_be_understood_is_answered() -> None:
    client = connected()
    (unknown,) = client.send(bytes.fromhex("07e7 0000000a 00000009".replace(" ", "")))
    assert unknown.type is MessageType.ERROR_MESSAGE
    assert status(unknown) == StatusCode.M_UnsupportedMessage
    (backwards,) = client.ask(MessageType.KEEPALIVE)
    assert (backwards.type, status(backwards)) == (MessageType.ERROR_MESSAGE, StatusCode.M_UnsupportedMessage)
    (version,) = client.send(pack_message(element(MessageType.GET_ROSPECS), 1, version=3))
    assert (version.type, status(version)) == (MessageType.ERROR_MESSAGE, StatusCode.M_UnsupportedVersion)
    (short,) = client.send(bytes.fromhex("04160000000a00000001"))
    assert (short.type, status(short)) == (MessageType.START_ROSPEC_RESPONSE, StatusCode.M_FieldError)
    assert not client.closed
    (lost,) = client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert lost.type is MessageType.ERROR_MESSAGE
    assert client.closed


def test_answers_carry_the_id_of_the_request_and_the_version_of_the_reader() -> None:
    client = connected(Personality(header_version=2))
    client.ask(MessageType.GET_ROSPECS, message_id=0xABCDEF01)
    header = client.sent[-1][:10].hex()
    assert (header[:4], header[12:]) == ("0824", "abcdef01")


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_a_conversation_is_the_same_however_it_arrives(step: int) -> None:
    requests = b"".join(
        (
            pack_message(element(MessageType.GET_READER_CAPABILITIES, RequestedData=0), 1),
            pack_message(element(MessageType.ADD_ROSPEC, rospec()), 2),
            pack_message(element(MessageType.ENABLE_ROSPEC, ROSpecID=1), 3),
            pack_message(element(MessageType.GET_ROSPECS), 4),
        )
    )
    client = connected()
    data = requests + requests[:6]
    kinds = [m.type for at in range(0, len(data), step) for m in client.send(data[at : at + step])]
    assert kinds == [
        MessageType.GET_READER_CAPABILITIES_RESPONSE,
        MessageType.ADD_ROSPEC_RESPONSE,
        MessageType.ENABLE_ROSPEC_RESPONSE,
        MessageType.GET_ROSPECS_RESPONSE,
    ]


def _keepalive(client: Client, ms: int) -> None:
    spec = element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=ms)
    client.ask(MessageType.SET_READER_CONFIG, spec, ResetToFactoryDefault=0)


def test_keepalives_come_in_time_and_need_no_answer() -> None:
    client = connected()
    _keepalive(client, 1000)
    assert [m.type for m in client.wait(5500)] == [MessageType.KEEPALIVE] * 5
    assert not client.closed


def test_some_readers_close_when_keepalives_are_not_answered() -> None:
    client = connected(Personality(unacknowledged_keepalives=2))
    _keepalive(client, 1000)
    client.wait(2500)
    client.ask(MessageType.KEEPALIVE_ACK)
    client.wait(2000)
    assert not client.closed
    client.wait(1000)
    assert client.closed


def test_a_reader_that_hangs_says_nothing_and_keeps_the_link() -> None:
    client = connected(Personality(freezes_after_us=300_000))
    _keepalive(client, 100)
    client.run(rospec())
    assert client.wait(299)
    client.now_us += 1000
    assert client.ask(MessageType.GET_ROSPECS) == []
    assert client.wait(5000) == []
    assert not client.closed
    client.device.thaw()
    assert client.wait(1000)


def test_reports_of_an_outage_are_kept_for_the_next_client() -> None:
    client = connected()
    client.run(rospec())
    client.device.disconnect()
    client.wait(200)
    first, *kept = client.connect()
    assert events([first])[0].type is P.ConnectionAttemptEvent
    assert len(tags(kept)) == 3 * 4


def test_a_reader_that_holds_waits_for_the_word() -> None:
    client = connected()
    hold = element(P.EventsAndReports, HoldEventsAndReportsUponReconnect=1)
    client.ask(MessageType.SET_READER_CONFIG, hold, ResetToFactoryDefault=0)
    client.run(rospec())
    client.device.disconnect()
    client.wait(100)
    assert len(client.connect()) == 1
    assert client.wait(100) == []
    released = client.ask(MessageType.ENABLE_EVENTS_AND_REPORTS)
    assert len(tags(released)) == 3 * 4
    assert len(released) == len(tags(released))  # no answer of its own
    assert len(tags(client.wait(50))) == 3


def test_what_does_not_fit_the_memory_is_lost_and_said() -> None:
    client = connected(Personality(report_buffer_tags=5))
    listen(client, EventType.REPORT_BUFFER_FILL_WARNING)
    client.run(rospec())
    client.device.disconnect()
    client.wait(500)
    messages = client.connect()
    assert len(tags(messages)) == 5
    assert event_kinds(messages) == ["ConnectionAttemptEvent", "ReportBufferOverflowErrorEvent"]


def test_impinj_extensions_can_be_switched_on_where_the_reader_is_one() -> None:
    custom = element(MessageType.CUSTOM_MESSAGE, VendorIdentifier=25882, MessageSubtype=21, Data=bytes(4))
    (answer,) = connected().send(pack_message(custom, 3))
    assert (answer.num("MessageSubtype"), answer.fields["Data"]) == (22, bytes.fromhex("011f000800000000"))
    other = connected(Personality(capabilities=Capabilities(manufacturer=10642)))
    (refused,) = other.send(pack_message(custom, 3))
    assert status(refused) == StatusCode.M_UnsupportedMessage


@given(
    kind=st.sampled_from(sorted(MessageType)),
    body=st.binary(max_size=60),
    more=st.binary(max_size=40),
    message_id=st.integers(0, 0xFFFFFFFF),
)
def test_nothing_that_a_client_sends_breaks_the_reader(
    kind: MessageType, body: bytes, more: bytes, message_id: int
) -> None:
    client = connected()
    client.run(rospec())
    client.send(frame(kind, message_id, body))
    client.send(more)
    if not client.closed:
        client.wait(100)
    client.device.disconnect()
    assert events(client.connect())[0].num("Status") == ConnectionStatus.SUCCESS


@pytest.mark.skipif(not os.environ.get("LLRP_VECTORS"), reason="LLRP_VECTORS does not name the folder of LLRP vectors")
def test_capabilities_are_those_that_a_real_r420_was_recorded_with() -> None:
    recorded = Path(os.environ["LLRP_VECTORS"]).parent / "r420" / "GetReaderCapabilitiesResponse-000.bytes"
    body = recorded.read_bytes()
    real = read_message(Frame(1, MessageType.GET_READER_CAPABILITIES_RESPONSE, 1, body))
    # That one was limited to 30 dBm; and everybody hops in an order of their own.
    tables = real.one(P.RegulatoryCapabilities).one(P.UHFBandCapabilities).one(P.FrequencyInformation)
    hops = tables.one(P.FrequencyHopTable).nums("Frequency")
    ours = Capabilities(max_power_dbm=30.0, hop_frequencies_khz=hops)
    assert real.children[1:] == ours.parameters()
    assert sorted(hops) == sorted(Capabilities().hop_frequencies_khz)
