"""The bad habits that a simulated reader can be given, and what can happen to it."""

import pytest

from simulators.field import FixedField
from simulators.llrp.capabilities import Capabilities
from simulators.llrp.names import EventType, MessageType, StatusCode
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Splitter, element
from simulators.llrp.personality import Flood, Personality, ReaderClock
from tests.simulators.llrp.asking import START_US, Client, connected, events, listen, read_all, rospec, status, tags


def test_refuses_what_it_is_told_to_refuse_and_nothing_else() -> None:
    client = connected(Personality(refuses=frozenset({MessageType.DELETE_ROSPEC})))
    (refusal,) = client.ask(MessageType.DELETE_ROSPEC, ROSpecID=0)
    assert refusal.type is MessageType.DELETE_ROSPEC_RESPONSE
    assert status(refusal) == StatusCode.M_ParameterError
    (answer,) = client.ask(MessageType.DELETE_ACCESSSPEC, AccessSpecID=0)
    assert status(answer) == 0


def test_answers_can_be_raced_by_messages_with_their_own_id() -> None:
    client = connected(Personality(races_answers=True))
    client.ask(MessageType.DELETE_ROSPEC, message_id=5, ROSpecID=0)
    frames = list(Splitter().feed(client.sent[-1]))
    assert [(frame.type, frame.id) for frame in frames] == [(63, 5), (62, 5), (61, 5), (31, 5)]


def hold(client: Client) -> int:
    holding = element(P.EventsAndReports, HoldEventsAndReportsUponReconnect=1)
    (answer,) = client.ask(MessageType.SET_READER_CONFIG, holding, ResetToFactoryDefault=0)
    return status(answer)


def test_holding_can_be_refused_by_a_reader_that_says_it_can() -> None:
    assert hold(connected()) == 0
    assert hold(connected(Personality(refuses_holding=True))) != 0


def test_a_power_cut_leaves_nothing_behind() -> None:
    client = connected()
    assert hold(client) == 0
    client.run(rospec())
    client.device.disconnect()
    client.wait(200)
    client.device.reboot()
    client.connect()
    assert client.states() == {}
    assert not tags(client.wait(200))
    assert not client.device.configuration.holds


def test_somebody_stops_it_and_the_client_hears_of_it() -> None:
    client = connected()
    listen(client, EventType.ROSPEC)
    client.run(rospec(3))
    (event,) = events(read_all(client.device.stop_inventory(client.now_us).data))
    assert (event.type, event.num("EventType"), event.num("ROSpecID")) == (P.ROSpecEvent, 1, 3)
    assert client.states() == {3: 1}


def test_it_complains_in_its_own_words_to_whoever_asked_for_that() -> None:
    client = connected()
    listen(client, EventType.READER_EXCEPTION)
    (event,) = events(read_all(client.device.complain("fan", client.now_us).data))
    assert (event.type, event.fields["Message"]) == (P.ReaderExceptionEvent, "fan")


def test_a_clock_is_set_at_the_appointed_time() -> None:
    clock = ReaderClock(offset_us=5, jumps=((START_US, 1000), (START_US + 10, -3000)))
    assert [clock.stamp(START_US + us) - START_US - us for us in (-1, 0, 9, 10)] == [5, 1005, 1005, -1995]


def test_reports_carry_what_is_put_behind_them_and_count_as_told() -> None:
    trailer = bytes((0x80 | 19, 2, 0))
    client = connected(Personality(report_trailer=trailer, counts_each_as=5374, empty_reports=True))
    client.run(rospec(on=frozenset({"EnableTagSeenCount"})))
    client.now_us += 50_000
    bodies = [frame.body for frame in Splitter().feed(client.device.tick(client.now_us).data)]
    assert bodies[1::2] == [b""] * 3
    assert all(body.endswith((5374).to_bytes(2, "big") + trailer) for body in bodies[::2])


@pytest.mark.parametrize(("strict", "channel", "fine"), [(True, 0, True), (True, 1, False), (False, 1, True)])
def test_a_strict_reader_takes_no_channel_while_it_hops(strict: bool, channel: int, fine: bool) -> None:
    client = connected(Personality(capabilities=Capabilities(strict_channel=strict)))
    transmitter = element(P.RFTransmitter, HopTableID=1, ChannelIndex=channel, TransmitPower=1)
    conf = element(P.AntennaConfiguration, transmitter, AntennaID=1)
    (answer,) = client.ask(MessageType.ADD_ROSPEC, rospec(configuration=[conf]))
    assert (status(answer) == 0) is fine


def inputs(client: Client) -> dict[int, tuple[int, int]]:
    """Port -> (on, level) as the reader tells them."""
    (answer,) = client.ask(MessageType.GET_READER_CONFIG, AntennaID=0, RequestedData=9, GPIPortNum=0, GPOPortNum=0)
    return {
        each.num("GPIPortNum"): (each.num("Config"), each.num("State")) for each in answer.every(P.GPIPortCurrentState)
    }


def test_an_input_does_nothing_until_it_is_switched_on() -> None:
    client = connected()
    listen(client, EventType.GPI)
    assert client.device.set_input(2, high=True, now_us=client.now_us).data == b""
    assert inputs(client)[2] == (0, 2)
    on = element(P.GPIPortCurrentState, GPIPortNum=2, Config=1, State=0)
    client.ask(MessageType.SET_READER_CONFIG, on, ResetToFactoryDefault=0)
    assert inputs(client) == {1: (0, 2), 2: (1, 1), 3: (0, 2), 4: (0, 2)}
    (event,) = events(read_all(client.device.set_input(2, high=False, now_us=client.now_us).data))
    assert (event.type, event.num("GPIPortNumber"), event.num("GPIEvent")) == (P.GPIEvent, 2, 0)
    client.device.reboot()
    client.connect()
    assert inputs(client)[2] == (0, 2)


@pytest.mark.parametrize(("blames", "named"), [(True, [177, 183, 186]), (False, [])])
def test_a_parameter_that_it_does_not_like_is_refused_and_named_or_not(blames: bool, named: list[int]) -> None:
    client = connected(Personality(dislikes=frozenset({P.InventoryParameterSpec}), blames=blames))
    (answer,) = client.ask(MessageType.ADD_ROSPEC, rospec())
    found, where = [], answer.one(P.LLRPStatus).maybe(P.ParameterError)
    while where is not None:
        found.append(where.num("ParameterType"))
        where = where.maybe(P.ParameterError)
    assert (status(answer) != 0, found) == (True, named)
    assert client.states() == {}


def test_a_flood_is_counted_and_so_is_the_slowest_acknowledgement() -> None:
    client = Client(Personality(flood=Flood(1000, 20, 100)), FixedField({}))
    client.connect()
    client.run(rospec())
    got = len(tags(client.wait(1000)))
    assert client.device.operations.flooded_reads == got == 1000
    keepalive = element(P.KeepaliveSpec, KeepaliveTriggerType=1, PeriodicTriggerValue=100)
    client.ask(MessageType.SET_READER_CONFIG, keepalive, ResetToFactoryDefault=0)
    client.wait(150)
    client.ask(MessageType.KEEPALIVE_ACK)
    assert client.device.slowest_ack_us == 50_000
