import asyncio
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from config.effective import Group
from gateway.alerts import AlertBoard
from gateway.clock import SystemClock
from gateway.crew import Crew
from gateway.domain.params import Zone, ZoneKind
from gateway.domain.zones import US_PER_S, LiveZone, ZoneState
from gateway.fleet import Fleet
from gateway.intake import Intake
from gateway.turns import TurnKeeper, Turns
from readers.model import ReadBatch, ReaderCondition, ReaderEvent, ReaderState
from simulators.field import FixedField
from simulators.llrp.device import ReaderDevice
from simulators.llrp.server import serve_reader
from tests.gateway.shop import RACK, HandClock, Shop, tag
from tests.gateway.test_crew import config

if TYPE_CHECKING:
    from readers.driver import Sink

A, B = ("a", 1), ("b", 1)
ABLE = frozenset("abc")


# Whose turn it is -----------------------------------------------------------------------------------------------


def test_turns_go_round_and_skip_who_is_away() -> None:
    turns = Turns("abc", 10)
    assert turns.decide(ABLE, 0)
    assert (turns.active, turns.until_us) == ("a", 10)
    assert not turns.decide(ABLE, 9)
    assert turns.decide(ABLE, 10)
    assert turns.active == "b"
    assert turns.decide({"a", "b"}, 20)
    assert turns.active == "a"
    assert turns.decide({"b", "c"}, 21), "whoever drops out gives its turn away at once"
    assert turns.active == "b"
    assert not turns.decide({"b"}, 31), "who is alone goes on without a pause"
    assert turns.decide((), 32)
    assert turns.active is None
    assert not turns.decide((), 99)
    assert turns.decide(ABLE, 100)
    assert turns.active == "a"


@given(st.lists(st.tuples(st.integers(0, 15), st.frozensets(st.sampled_from("abc"))), max_size=40))
def test_only_who_is_able_has_a_turn_and_none_has_two_while_others_wait(
    steps: list[tuple[int, frozenset[str]]],
) -> None:
    turns = Turns("abc", 10)
    now = 0
    for passed, able in steps:
        now += passed
        before, until = turns.active, turns.until_us
        changed = turns.decide(able, now)
        assert changed is (turns.active != before)
        assert (turns.active in able) if able else turns.active is None
        if before in able and len(able) > 1:
            assert changed is (now >= until)


# What a zone makes of it ----------------------------------------------------------------------------------------


def live(*antennas: tuple[str, int]) -> LiveZone:
    zone = LiveZone(Zone("floor", ZoneKind.SALES_FLOOR), antennas, learning=False, now_us=0)
    for antenna in antennas:
        zone.observe(antenna, working=True, now_us=0)
    return zone


def rest(zone: LiveZone, antenna: tuple[str, int], resting: bool, at_s: float) -> None:
    zone.observe(antenna, working=True, resting=resting, now_us=int(at_s * US_PER_S))


def clock_s(zone: LiveZone, at_s: float) -> float:
    return zone.clock.now_s(int(at_s * US_PER_S))


def test_a_zone_whose_only_reader_rests_is_healthy_and_its_clock_stands() -> None:
    zone = live(A)
    rest(zone, A, True, 10)
    assert (zone.state, zone.healthy, zone.clock.running) == (ZoneState.OK, True, False)
    assert clock_s(zone, 100) == 10
    rest(zone, A, False, 100)
    assert clock_s(zone, 105) == 15
    assert zone.clock.running


def test_where_two_take_turns_the_clock_counts_what_each_has_looked_at() -> None:
    zone = live(A, B)
    rest(zone, B, True, 0)
    for turn in range(20):
        mine, other = (A, B) if turn % 2 else (B, A)
        rest(zone, other, True, 5.0 * (turn + 1))
        rest(zone, mine, False, 5.0 * (turn + 1))
    assert zone.state is ZoneState.OK
    # 105 s in all; each has looked for half of them, and the first round is given away.
    assert 40 <= clock_s(zone, 105) <= 52.5
    # When all look again, it runs as any other.
    rest(zone, A, False, 105)
    rest(zone, B, False, 105)
    before = clock_s(zone, 105)
    assert clock_s(zone, 115) == before + 10


@given(st.lists(st.tuples(st.floats(0.1, 9), st.sampled_from([A, B]), st.booleans(), st.booleans()), max_size=40))
def test_the_clock_never_counts_more_than_any_antenna_has_looked(
    steps: list[tuple[float, tuple[str, int], bool, bool]],
) -> None:
    zone = live(A, B)
    looked = {A: 0.0, B: 0.0}
    resting = {A: False, B: False}
    at = 0.0
    last = 0.0
    for passed, antenna, wants, reforms in steps:
        at += passed
        for each, rests in resting.items():
            looked[each] += 0.0 if rests else passed
        now = clock_s(zone, at)
        assert last <= now <= min(looked.values()) + 1e-4
        last = now
        rest(zone, antenna, wants, at)
        resting[antenna] = wants
        if reforms:
            zone.reform(zone.params, (A, B), int(at * US_PER_S))


def test_items_of_a_zone_that_rests_do_not_leave_it_however_long() -> None:
    shop = Shop({"a": RACK, "b": RACK})
    shop.place(1)
    shop.zones["a"].observe(("ceiling-1", 1), working=True, resting=True, now_us=shop.clock.now_us)
    assert shop.wait(40_000, step_s=20) == []
    shop.zones["a"].observe(("ceiling-1", 1), working=True, now_us=shop.clock.now_us)
    assert shop.wait(5_000, step_s=5), "and when it looks again, silence counts"


# The keeper -----------------------------------------------------------------------------------------------------


class Device:
    """A driver that does what it is told, and says so at once."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.sink: Sink = lambda _: None

    def connect(self) -> None:
        self.sink(ReaderState(self.name, ReaderCondition.READING, resting=True))

    def rest(self) -> None:
        self.log.append(f"-{self.name}")
        self.sink(ReaderState(self.name, ReaderCondition.READING, resting=True))

    def resume(self) -> None:
        self.log.append(f"+{self.name}")
        self.sink(ReaderState(self.name, ReaderCondition.READING))


async def test_one_stops_before_the_next_one_starts() -> None:
    log: list[str] = []
    devices = {name: Device(name, log) for name in "ab"}
    keeper = TurnKeeper(devices, 0.05, SystemClock())
    assert log == ["-a", "-b"]
    log.clear()
    enough = asyncio.Event()

    def hear(_event: ReaderEvent) -> None:
        if len(log) > 8:
            enough.set()

    for device in devices.values():
        device.sink = keeper.watched(hear)
        device.connect()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        async with asyncio.timeout(5):
            await enough.wait()
        task.cancel()
    assert log[:8] == ["+a", "-a", "+b", "-b"] * 2


async def test_facing_readers_never_look_together_and_both_are_heard() -> None:
    tags = FixedField({1: [tag(1), tag(2)]})
    clock = HandClock()
    alerts = AlertBoard(clock.utc_us, lambda _: None)
    real = SystemClock()
    heard: set[str] = set()
    together = 0
    async with serve_reader(ReaderDevice(tags)) as one, serve_reader(ReaderDevice(tags)) as two:
        text = "\n".join(
            f'[[readers]]\nid = "{name}"\ndriver = "llrp"\nurl = "llrp://127.0.0.1:{server.port}"\n'
            'antennas = { 1 = "floor" }'
            for name, server in (("a", one), ("b", two))
        )
        head = '[site]\nid = "s"\ngateway = "g"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n[[zones]]\nid = "floor"\n'
        group = '[[groups]]\nreaders = ["a", "b"]\nturn_s = 0.5\n'
        whole = config(f'{head}kind = "sales_floor"\n{text}\n{group}')
        assert whole.groups == (Group(("a", "b"), 0.5),)
        done = asyncio.Event()

        class Watching(Fleet):
            def put(self, event: ReaderEvent) -> None:
                nonlocal together
                super().put(event)
                if isinstance(event, ReadBatch):
                    heard.add(event.reader)
                    if len(heard) > 1:
                        done.set()
                states = [member.state for member in self.members.values()]
                looks = [s for s in states if s.condition is ReaderCondition.READING and not s.resting]
                together = max(together, len(looks))

        fleet = Watching(Intake(), real, alerts, lambda _reader, _status: None)
        crew = Crew(fleet, real, Random(1))
        (zone,), _ = crew.plan(whole, {}, {"floor"})
        async with crew.running(whole):
            async with asyncio.timeout(10):
                await done.wait()
            assert zone.state is ZoneState.OK
            alone = config(f'{head}kind = "sales_floor"\n{text}\n')
            crew.plan(alone, {zone.id: zone}, ())
            assert await crew.apply(whole, alone) == []
            assert together == 1
            async with asyncio.timeout(10):
                while together < 2:  # noqa: ASYNC110 - the readers have no word for it
                    await asyncio.sleep(0.01)
    assert heard == {"a", "b"}
