from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemClock
from readers.llrp.concessions import NAMES, Bargain, Concession, blamed, optional, without
from readers.llrp.control import AntennaPlan, RoSpec, Status, VendorContent
from readers.llrp.driver import LlrpDriver
from readers.llrp.gpio import WHEN_TOLD, Boundary
from readers.llrp.settings import AirSettings, InputTrigger, Level, SearchMode, mask_of
from simulators.llrp.names import ParameterType as P
from simulators.llrp.personality import Personality
from tests.readers.llrp.driving import outcome, settings, simulated
from tests.readers.running import Collector, running

PLAN = AntennaPlan(1, 5, 1, 0, mode=1002, session=2, population=64, search_type=1, filters=(mask_of("30"),))
TRIGGERS = Boundary(start=InputTrigger(1), stop=InputTrigger(1, Level.LOW))
WHOLE = RoSpec(1, (PLAN, AntennaPlan(2)), 20, TRIGGERS, (VendorContent.RF_PHASE_ANGLE,))
BARE = RoSpec(1, (AntennaPlan(1, None, 1), AntennaPlan(2)), 20)
NO = Status(ok=False, code="ParameterError")


def refusal(*types: str, text: str = "") -> Status:
    return Status(ok=False, code="ParameterError", text=text, blamed=types)


def offers(rospec: RoSpec, said: Status) -> Iterator[set[Concession]]:
    """What is left out, time after time, by a reader that always says the same."""
    bargain = Bargain(rospec)
    while bargain.concede(said):
        assert optional(bargain.offer) == tuple(each for each in optional(rospec) if each not in bargain.left_out)
        yield set(bargain.left_out)


def test_each_group_is_something_and_without_all_nothing_is_left() -> None:
    assert set(optional(WHOLE)) == set(Concession)
    for each in Concession:
        rest = without(WHOLE, {each})
        assert set(optional(rest)) == set(Concession) - {each}
        assert [plan.antenna for plan in rest.antennas] == [1, 2]
        assert rest.report_every_tags == 20
    assert without(WHOLE, set(Concession)) == BARE
    assert BARE.boundary == WHEN_TOLD


@pytest.mark.parametrize(("concession", "name"), [(each, name) for each, names in NAMES.items() for name in names])
def test_what_is_named_is_found_wherever_it_is_named(concession: Concession, name: str) -> None:
    assert blamed(refusal("ROSpec", "AISpec", name)) is concession
    assert blamed(refusal(text=f"field 2: invalid {name.upper()}, sorry")) is concession
    # The innermost is the one.
    assert blamed(refusal("ROBoundarySpec", name)) is concession
    assert blamed(refusal("ROSpec", text="no such thing")) is None


def test_what_is_named_is_left_out_first_and_stays_out() -> None:
    bargain = Bargain(WHOLE)
    assert bargain.concede(refusal("ROSpec", "C1G2Filter"))
    assert bargain.left_out == {Concession.FILTERS}
    assert bargain.concede(refusal(text="ModeIndex 1002 unknown"))
    assert bargain.left_out == {Concession.FILTERS, Concession.MODE}
    assert bargain.concede(refusal(text="ModeIndex 1002 unknown"))
    assert bargain.left_out == {Concession.FILTERS, Concession.MODE, Concession.VENDOR}


def test_where_nothing_is_named_each_is_left_out_alone_and_at_last_all() -> None:
    assert list(offers(WHOLE, NO)) == [*({each} for each in Concession), set(Concession)]


def test_a_refusal_of_the_rospec_as_such_is_not_about_its_parts() -> None:
    assert list(offers(WHOLE, refusal("ROSpec"))) == [set(Concession)]


def test_with_nothing_optional_there_is_nothing_to_concede() -> None:
    assert list(offers(BARE, NO)) == []


@given(st.lists(st.sampled_from(["", *(names[0] for names in NAMES.values()), "ROSpec", "AISpec"]), min_size=30))
def test_whatever_a_reader_blames_it_comes_to_an_end(said: list[str]) -> None:
    bargain = Bargain(WHOLE)
    tried = {bargain.left_out}
    for name in said:
        if not bargain.concede(refusal(name) if name else NO):
            break
        assert bargain.left_out not in tried
        tried.add(bargain.left_out)
    assert bargain.left_out == set(Concession)
    assert len(tried) <= 2 * len(Concession) + 2


# With the simulated reader ---------------------------------------------------------------------------------------

AIR = AirSettings(power_dbm=20, session=2, mode=1002, population=64, search_mode=SearchMode.SINGLE)
EVERYTHING = {"air": AIR, "epc_filters": (mask_of("30"),), "rf_details": True}


@pytest.mark.parametrize("blames", [True, False], ids=["says which", "says nothing"])
@pytest.mark.parametrize(
    ("disliked", "keys"),
    [
        ({P.C1G2Filter}, "epc_filters"),
        ({P.Custom}, "search_mode, tag_focus, fast_id, rf_details"),
        ({P.C1G2RFControl}, "mode"),
        ({P.C1G2SingulationControl}, "session, population"),
        ({P.RFTransmitter}, "power_dbm, channel"),
    ],
    ids=["filters", "extensions", "mode", "session", "power"],
)
async def test_a_reader_that_refuses_one_thing_keeps_all_others(disliked: set[P], keys: str, blames: bool) -> None:
    sink = Collector()
    async with (
        simulated(Personality(dislikes=frozenset(disliked), blames=blames)) as server,
        running(LlrpDriver("r", settings(server.port, **EVERYTHING), SystemClock()), sink),
    ):
        await sink.until(lambda: len(sink.seen()) == 8)
        (spec,) = server.device.operations.rospec_parameters()
    assert [notice.fault.kind for notice in sink.notices] == ["refused_setting"] * 2
    assert f"only without {keys}:" in sink.notices[-1].fault.text
    kept = {P.C1G2Filter, P.Custom, P.C1G2RFControl, P.C1G2SingulationControl, P.RFTransmitter} - disliked
    assert {kind for kind in kept if holds(spec, kind)} == kept
    assert not any(holds(spec, kind) for kind in disliked)


async def test_a_reader_that_refuses_several_things_reads_with_what_is_left() -> None:
    for blames, left in ((True, {P.C1G2SingulationControl}), (False, set())):
        sink = Collector()
        dislikes = frozenset({P.C1G2Filter, P.Custom, P.C1G2RFControl, P.RFTransmitter})
        async with (
            simulated(Personality(dislikes=dislikes, blames=blames)) as server,
            running(LlrpDriver("r", settings(server.port, **EVERYTHING), SystemClock()), sink),
        ):
            await sink.until(lambda sink=sink: len(sink.seen()) == 8)  # type: ignore[misc]  # bound early
            (spec,) = server.device.operations.rospec_parameters()
        assert {kind for kind in (P.C1G2SingulationControl, P.RFTransmitter) if holds(spec, kind)} == left


async def test_a_reader_that_refuses_what_no_inventory_does_without_is_given_up() -> None:
    sink = Collector()
    async with simulated(Personality(dislikes=frozenset({P.AISpec}))) as server:
        error = await outcome(server.port, sink, **EVERYTHING)
    assert error.fault.kind == "rejected"
    assert "AISpec" in error.fault.text


def holds(parameter: object, kind: P) -> bool:
    return getattr(parameter, "type", None) == kind or any(
        holds(child, kind) for child in getattr(parameter, "children", ())
    )
