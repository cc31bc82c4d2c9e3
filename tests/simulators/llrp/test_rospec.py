from itertools import product

import pytest

from simulators.llrp.capabilities import Capabilities
from simulators.llrp.names import ParameterType as P
from simulators.llrp.names import ROSpecState, StartTrigger, StatusCode
from simulators.llrp.packer import BadMessageError, Element, element
from simulators.llrp.rospec import LIFE_CYCLE, Command, Event, leftover_rospec, read_rospec
from tests.simulators.llrp.asking import rospec

R420 = Capabilities()


@pytest.mark.parametrize(("state", "event"), list(product(ROSpecState, Event)))
def test_the_life_cycle_is_whole_and_consistent(state: ROSpecState, event: Event) -> None:
    finishes = event in {Event.FINISH, Event.PREEMPT}
    if finishes and state is not ROSpecState.ACTIVE:
        assert (state, event) not in LIFE_CYCLE  # only what runs can end by itself
        return
    commands, following = LIFE_CYCLE[state, event]
    running, runs = state is ROSpecState.ACTIVE, following is ROSpecState.ACTIVE
    assert (Command.BEGIN in commands) == (runs and not running)
    assert (Command.END in commands) == (running and not runs)
    armed, is_armed = state is not ROSpecState.DISABLED, following is not ROSpecState.DISABLED
    assert (Command.ARM in commands) == (is_armed and not armed)
    assert (Command.DISARM in commands) == (armed and not is_armed)
    if Command.REFUSE in commands:
        assert commands == (Command.REFUSE,)
        assert following is state


def _read(parameter: Element, *, knows_tag_observation: bool = True) -> None:
    read_rospec(parameter, R420, knows_tag_observation=knows_tag_observation)


def _antenna(*children: Element, antenna: int = 1) -> list[Element]:
    return [element(P.AntennaConfiguration, *children, AntennaID=antenna)]


def _power(*, hop_table: int = 1, channel: int = 0, power: int = 91) -> list[Element]:
    return _antenna(element(P.RFTransmitter, HopTableID=hop_table, ChannelIndex=channel, TransmitPower=power))


def _mode(mode: int, filters: int = 0) -> list[Element]:
    mask = element(P.C1G2Filter, element(P.C1G2TagInventoryMask, MB=1, Pointer=32, TagMask=b""), T=0)
    control = element(P.C1G2RFControl, ModeIndex=mode, Tari=0)
    return _antenna(element(P.C1G2InventoryCommand, *[mask] * filters, control, TagInventoryStateAware=0))


OBSERVATION = {"TriggerType": 0, "NumberOfTags": 1, "NumberOfAttempts": 0, "T": 0, "Timeout": 0}


def test_takes_what_the_reader_can_do() -> None:
    _read(rospec(antennas=((0,), (4, 1))))
    _read(rospec(configuration=_power(power=1)))
    _read(rospec(configuration=_power(channel=50)))
    _read(rospec(configuration=_mode(1002, filters=2)))
    _read(rospec(observation=dict(OBSERVATION)))
    _read(leftover_rospec(3))
    parsed = read_rospec(rospec(antennas=((0,),)), R420, knows_tag_observation=True)
    assert parsed.specs[0].antennas == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("parameter", "code", "last", "field_num"),
    [
        (rospec(0), StatusCode.A_Invalid, P.ROSpec, 0),
        (rospec(priority=8), StatusCode.A_OutOfRange, P.ROSpec, 1),
        (rospec(antennas=((5,),)), StatusCode.A_Invalid, P.AISpec, 0),
        (rospec(antennas=((),)), StatusCode.A_Invalid, P.AISpec, 0),
        (rospec(antennas=((1,),) * 33), StatusCode.P_OverflowParameter, P.AISpec, None),
        (rospec(start=StartTrigger.GPI), StatusCode.P_UnsupportedParameter, P.ROSpecStartTrigger, 0),
        (rospec(start=StartTrigger.PERIODIC), StatusCode.P_MissingParameter, P.PeriodicTriggerValue, None),
        (rospec(configuration=_power(hop_table=2)), StatusCode.A_Invalid, P.RFTransmitter, 0),
        (rospec(configuration=_power(channel=51)), StatusCode.A_Invalid, P.RFTransmitter, 1),
        (rospec(configuration=_power(power=0)), StatusCode.A_Invalid, P.RFTransmitter, 2),
        (rospec(configuration=_power(power=92)), StatusCode.A_Invalid, P.RFTransmitter, 2),
        (rospec(configuration=_antenna(antenna=5)), StatusCode.A_Invalid, P.AntennaConfiguration, 0),
        (rospec(configuration=_mode(77)), StatusCode.A_Invalid, P.C1G2RFControl, 0),
        (rospec(configuration=_mode(0, filters=3)), StatusCode.P_OverflowParameter, P.C1G2Filter, None),
    ],
)
def test_refuses_what_it_cannot_do_and_says_where(
    parameter: Element, code: StatusCode, last: P, field_num: int | None
) -> None:
    with pytest.raises(BadMessageError) as caught:
        _read(parameter)
    assert (caught.value.code, caught.value.path[-1], caught.value.field_num) == (code, last, field_num)


def test_some_readers_do_not_know_tag_observation() -> None:
    with pytest.raises(BadMessageError) as caught:
        _read(rospec(observation=dict(OBSERVATION)), knows_tag_observation=False)
    assert caught.value.code is StatusCode.P_UnsupportedParameter


def test_a_reader_with_fixed_frequencies_wants_a_channel_and_no_hop_table() -> None:
    etsi = Capabilities(fixed_frequencies_khz=(865_700, 866_300, 866_900, 867_500))
    read_rospec(rospec(configuration=_power(hop_table=0, channel=4)), etsi, knows_tag_observation=True)
    for hop_table, channel in ((1, 1), (0, 0), (0, 5)):
        with pytest.raises(BadMessageError):
            read_rospec(
                rospec(configuration=_power(hop_table=hop_table, channel=channel)), etsi, knows_tag_observation=True
            )
