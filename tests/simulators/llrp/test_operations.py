from dataclasses import replace

from simulators.llrp.capabilities import Capabilities
from simulators.llrp.names import (
    EventType,
    MessageType,
    ROSpecEventType,
    StartTrigger,
    StatusCode,
)
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import element
from simulators.llrp.personality import Personality
from tests.simulators.llrp.asking import connected, event_kinds, events, listen, rospec, status, tags


def test_an_immediate_rospec_runs_from_enabling_until_deleted() -> None:
    client = connected()
    client.ask(MessageType.ADD_ROSPEC, rospec())
    assert client.states() == {1: 0}
    assert tags(client.wait(500)) == []
    client.ask(MessageType.ENABLE_ROSPEC, ROSpecID=1)
    assert client.states() == {1: 2}
    assert len(tags(client.wait(500))) == 3 * 10  # three tags in each dwell of 50 ms
    (answer,) = client.ask(MessageType.DELETE_ROSPEC, ROSpecID=0)
    assert status(answer) == 0
    assert client.states() == {}
    assert client.wait(500) == []


def test_a_rospec_without_start_trigger_waits_for_the_client() -> None:
    client = connected()
    client.ask(MessageType.ADD_ROSPEC, rospec(start=StartTrigger.NULL))
    (early,) = client.ask(MessageType.START_ROSPEC, ROSpecID=1)
    assert status(early) == StatusCode.M_FieldError
    client.ask(MessageType.ENABLE_ROSPEC, ROSpecID=1)
    assert client.states() == {1: 1}
    client.ask(MessageType.START_ROSPEC, ROSpecID=1)
    assert client.states() == {1: 2}
    client.ask(MessageType.STOP_ROSPEC, ROSpecID=1)
    assert client.states() == {1: 1}
    client.ask(MessageType.DISABLE_ROSPEC, ROSpecID=1)
    assert client.states() == {1: 0}


def test_a_periodic_rospec_starts_after_its_offset_and_at_each_period() -> None:
    client = connected()
    listen(client, EventType.ROSPEC)
    client.run(rospec(start=StartTrigger.PERIODIC, period_ms=(100, 1000), duration_ms=200, n=0))
    assert event_kinds(client.wait(99)) == []
    first = client.wait(1)
    assert [event.num("EventType") for event in events(first)] == [ROSpecEventType.START]
    assert client.states() == {1: 2}
    ended = client.wait(200)
    assert [event.num("EventType") for event in events(ended)] == [ROSpecEventType.END]
    assert len(tags(ended)) == 3
    assert len(events(client.wait(5000))) == 2 * 5


def test_a_duration_ends_the_rospec_and_reports_what_it_saw() -> None:
    client = connected()
    client.run(rospec(duration_ms=120, n=0, on=frozenset({"EnableTagSeenCount", "EnableLastSeenTimestamp"})))
    messages = client.wait(119)
    assert tags(messages) == []
    seen = tags(client.wait(1))
    assert [tag.one(P.TagSeenCount).num("TagCount") for tag in seen] == [3, 3, 3]  # dwells of 50, 50 and 20 ms
    assert client.states() == {1: 1}
    assert client.wait(1000) == []


def test_only_so_many_rospecs_and_each_id_once() -> None:
    client = connected(Personality(capabilities=Capabilities(max_rospecs=2)))
    assert status(client.ask(MessageType.ADD_ROSPEC, rospec(1))[0]) == 0
    (again,) = client.ask(MessageType.ADD_ROSPEC, rospec(1))
    nested = again.one(P.LLRPStatus).one(P.ParameterError)
    assert (nested.num("ParameterType"), nested.one(P.FieldError).num("FieldNum")) == (P.ROSpec, 0)
    assert status(client.ask(MessageType.ADD_ROSPEC, rospec(2))[0]) == 0
    (third,) = client.ask(MessageType.ADD_ROSPEC, rospec(3))
    assert third.one(P.LLRPStatus).one(P.ParameterError).num("ErrorCode") == StatusCode.P_OverflowParameter
    for kind in (MessageType.DELETE_ROSPEC, MessageType.ENABLE_ROSPEC, MessageType.STOP_ROSPEC):
        (missing,) = client.ask(kind, ROSpecID=9)
        assert missing.one(P.LLRPStatus).one(P.FieldError).num("ErrorCode") == StatusCode.A_Invalid


def test_a_rospec_of_higher_priority_takes_over() -> None:
    client = connected(Personality(capabilities=Capabilities(max_rospecs=3)))
    listen(client, EventType.ROSPEC)
    client.run(rospec(1, priority=5))
    client.run(rospec(2, start=StartTrigger.NULL, priority=5))
    client.ask(MessageType.START_ROSPEC, ROSpecID=2)
    assert client.states() == {1: 2, 2: 1}
    taken = client.run(rospec(3, priority=1))
    shown = [
        (event.num("EventType"), event.num("ROSpecID"), event.num("PreemptingROSpecID")) for event in events(taken)
    ]
    assert shown == [(ROSpecEventType.PREEMPTION, 1, 3), (ROSpecEventType.START, 3, 0)]
    assert client.states() == {1: 1, 2: 1, 3: 2}


def test_a_reader_may_hold_what_another_client_left() -> None:
    client = connected(Personality(leftover_rospecs=(1111,)))
    assert client.states() == {1111: 2}
    assert tags(client.wait(50))
    (full,) = client.ask(MessageType.ADD_ROSPEC, rospec())
    assert status(full) == StatusCode.M_ParameterError
    client.ask(MessageType.DELETE_ROSPEC, ROSpecID=0)
    assert status(client.ask(MessageType.ADD_ROSPEC, rospec())[0]) == 0


def test_access_specs_are_kept_and_deleted() -> None:
    client = connected()
    stop = element(P.AccessSpecStopTrigger, AccessSpecStopTrigger=0, OperationCountValue=0)
    spec = element(
        P.AccessSpec,
        stop,
        element(P.AccessCommand, Operations=bytes.fromhex("0152000401550008000100000000")),
        AccessSpecID=4,
        AntennaID=0,
        ProtocolID=1,
        CurrentState=0,
        ROSpecID=0,
    )
    assert status(client.ask(MessageType.ADD_ACCESSSPEC, spec)[0]) == 0
    assert status(client.ask(MessageType.ADD_ACCESSSPEC, spec)[0]) == StatusCode.M_ParameterError
    client.ask(MessageType.ENABLE_ACCESSSPEC, AccessSpecID=4)
    (shown,) = client.ask(MessageType.GET_ACCESSSPECS)
    assert shown.every(P.AccessSpec) == [replace(spec, fields={**spec.fields, "CurrentState": 1})]
    assert status(client.ask(MessageType.DELETE_ACCESSSPEC, AccessSpecID=5)[0]) == StatusCode.M_FieldError
    assert status(client.ask(MessageType.DELETE_ACCESSSPEC, AccessSpecID=0)[0]) == 0
    assert client.ask(MessageType.GET_ACCESSSPECS)[0].every(P.AccessSpec) == []
