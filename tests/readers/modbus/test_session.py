import itertools

import pytest

from readers.modbus.session import LONGEST_PAUSE_US, ModbusSession, plan
from readers.modbus.settings import ModbusChannel, ModbusSettings, Profile, Quantity, Registers
from readers.model import (
    AntennaCondition,
    InputSample,
    ReaderCondition,
    WeightCondition,
    WeightSample,
    WeightUnit,
)
from readers.port.settings import PortSettings
from simulators.serial.modbus import READ_INPUT_REGISTERS, ModbusLine, Slave, dini_argeo, dini_argeo_4, laumas
from simulators.serial.scales import Pan
from tests.readers.port.loopback import Loopback, TurnedClock

PORT = PortSettings("/dev/x")
UP, DOWN = AntennaCondition.UP, AntennaCondition.DOWN
GRAM = WeightUnit.GRAM
BAUDRATE = 19_200


def scale(channel: int, slave: int, profile: Profile = Profile.LAUMAS) -> ModbusChannel:
    return ModbusChannel(channel, slave, profile, unit=GRAM, decimals=1)


def connected(devices: tuple[ModbusChannel, ...], slaves: list[Slave], **more: float) -> Loopback:
    settings = ModbusSettings(PORT, devices, **more)  # type: ignore[arg-type]
    return Loopback(ModbusSession("r", settings, BAUDRATE), ModbusLine(slaves), TurnedClock())


def weights(loop: Loopback, channel: int = 1) -> list[WeightSample]:
    return [event for event in loop.events if isinstance(event, WeightSample) and event.channel == channel]


def inputs(loop: Loopback, channel: int) -> list[float | None]:
    return [event.value for event in loop.events if isinstance(event, InputSample) and event.channel == channel]


def kinds(loop: Loopback) -> list[str]:
    return [notice.fault.kind for notice in loop.notices]


def longest_gap_s(samples: list[WeightSample]) -> float:
    return max(later.at_us - earlier.at_us for earlier, later in itertools.pairwise(samples)) / 1e6


def test_queries_are_joined_where_they_can_be() -> None:
    both = ModbusChannel(2, 3, Profile.LAUMAS, Quantity.NET, unit=GRAM, decimals=1)
    slots = tuple(ModbusChannel(10 + at, 9, Profile.INPUTS, address=at) for at in (7, 0, 3))
    far = ModbusChannel(20, 9, Profile.INPUTS, address=5000)
    polls = plan((scale(1, 3), both, *slots, far))
    asked = [(poll.query.slave, poll.query.address, poll.query.count) for poll in polls]
    assert asked == [(3, 1, 3), (9, 0, 0), (3, 6, 5), (9, 0, 8), (9, 5000, 1)]
    assert [len(poll.channels) for poll in polls[2:]] == [2, 3, 1]
    assert [poll.identifies for poll in polls] == [True, True, False, False, False]


def test_several_devices_on_one_line() -> None:
    pans = [Pan(100.5), Pan(-20.0)]
    bits = {0: True, 1: False}
    temperature = Slave(9, {READ_INPUT_REGISTERS: lambda: {0: 215}})
    devices = (
        scale(1, 1),
        scale(2, 2, Profile.DINI_ARGEO),
        ModbusChannel(3, 8, Profile.INPUTS, address=0),
        ModbusChannel(4, 8, Profile.INPUTS, address=1),
    )
    slaves = [laumas(1, pans[0]), dini_argeo(2, pans[1]), Slave(8, inputs=lambda: bits), temperature]
    loop = connected(devices, slaves)
    loop.turn(3)
    assert {sample.grams for sample in weights(loop, 1)} == {100.5}
    assert {sample.grams for sample in weights(loop, 2)} == {-20.0}
    assert (set(inputs(loop, 3)), set(inputs(loop, 4))) == ({1.0}, {0.0})
    assert loop.states[-1].condition is ReaderCondition.READING
    assert loop.states[-1].antennas == dict.fromkeys((1, 2, 3, 4), UP)
    assert 28 <= len(weights(loop, 1)) <= 31
    assert kinds(loop) == []
    pans[0].trouble = "overload"
    loop.turn(0.3)
    assert (weights(loop, 1)[-1].condition, weights(loop, 1)[-1].grams) == (WeightCondition.OVERLOAD, None)


@pytest.mark.parametrize("quantity", Quantity)
def test_a_transmitter_for_four_scales_is_asked_once_for_all(quantity: Quantity) -> None:
    pans = [Pan(10.0), Pan(-20.5), Pan(30.0, stable=False), Pan(40.0, trouble="overload")]
    devices = tuple(
        ModbusChannel(cell, 7, Profile.DINI_ARGEO_4, quantity, unit=GRAM, decimals=1, cell=cell) for cell in range(1, 5)
    )
    slave = dini_argeo_4(7, pans)
    loop = connected(devices, [slave])
    loop.turn(2)
    last = [weights(loop, cell)[-1] for cell in range(1, 5)]
    assert [(sample.condition, sample.grams) for sample in last] == [
        (WeightCondition.STABLE, 10.0),
        (WeightCondition.STABLE, -20.5),
        (WeightCondition.MOVING, 30.0),
        (WeightCondition.OVERLOAD, None),
    ]
    assert slave.asked <= 23


def test_one_request_on_the_wire_at_a_time_and_silence_before_the_next() -> None:
    slaves = [laumas(1, Pan(1.0)), laumas(2, Pan(2.0))]
    for slave in slaves:
        slave.lag_s = 0.06
    loop = connected((scale(1, 1), scale(2, 2)), slaves, poll_s=0.01)
    loop.turn(10)
    # Two answers and two gaps a round: the line is never idle for longer.
    assert len(weights(loop, 1)) == pytest.approx(10 / 2 / (0.06 + 3.5 * 11 / BAUDRATE), rel=0.05)
    assert kinds(loop) == []


def test_a_dead_slave_slows_none_of_the_others() -> None:
    slaves = [laumas(number, Pan(10.0 * number)) for number in (1, 2, 3)]
    loop = connected(tuple(scale(number, number) for number in (1, 2, 3)), slaves)
    loop.turn(2)
    slaves[1].dead = True
    loop.turn(1)
    before = len(weights(loop, 1))
    loop.turn(60)
    later = weights(loop, 1)[before:]
    assert len(later) > 0.95 * 600, "of ten a second"
    assert longest_gap_s(later) < 0.25 + 0.2
    assert loop.states[-1].antennas == {1: UP, 2: DOWN, 3: UP}
    assert loop.states[-1].condition is ReaderCondition.READING
    assert kinds(loop) == ["slave_down"]
    slaves[1].dead = False
    loop.turn(LONGEST_PAUSE_US / 1e6 + 1)
    assert loop.states[-1].antennas == {1: UP, 2: UP, 3: UP}
    assert weights(loop, 2)[-1].grams == 20.0


def test_nobody_answers_at_all() -> None:
    slave = laumas(1, Pan(1.0))
    slave.dead = True
    loop = connected((scale(1, 1),), [slave])
    loop.turn(10)
    assert loop.session.fault is not None
    assert loop.session.fault.kind == "silent"


@pytest.mark.parametrize(
    ("code", "condition", "kind"),
    [
        (2, WeightCondition.FAULT, ["refused"]),
        (4, WeightCondition.FAULT, ["refused"]),
        (99, WeightCondition.FAULT, ["refused"]),
        (5, WeightCondition.BUSY, []),
        (6, WeightCondition.BUSY, []),
    ],
)
def test_a_refusal_is_no_weight_and_no_silence(code: int, condition: WeightCondition, kind: list[str]) -> None:
    slave = laumas(1, Pan(1.0))
    slave.exception = code
    loop = connected((scale(1, 1),), [slave])
    loop.turn(5)
    assert {(sample.condition, sample.grams) for sample in weights(loop)} == {(condition, None)}
    assert kinds(loop) == kind
    assert not loop.session.is_over


@pytest.mark.parametrize("code", [10, 11])
def test_a_gateway_that_finds_nobody_is_silence(code: int) -> None:
    slaves = [laumas(1, Pan(1.0)), laumas(2, Pan(2.0))]
    slaves[1].exception = code
    loop = connected((scale(1, 1), scale(2, 2)), slaves)
    loop.turn(10)
    assert weights(loop, 2) == []
    assert loop.states[-1].antennas == {1: UP, 2: DOWN}


def test_late_answers_are_never_taken_for_others() -> None:
    pan = Pan(1.0)
    slaves = [laumas(1, pan), laumas(2, Pan(2.0))]
    slaves[0].lag_s = 0.3
    loop = connected((scale(1, 1), scale(2, 2)), slaves, timeout_s=0.25)
    for grams in range(1, 40):
        pan.grams = float(grams)
        loop.turn(0.5)
    assert weights(loop, 1) == []
    assert {sample.grams for sample in weights(loop, 2)} == {2.0}
    assert "frame_error" in kinds(loop)


def test_hurt_and_wrong_answers_are_asked_for_again() -> None:
    slave = laumas(1, Pan(7.0))
    loop = connected((scale(1, 1),), [slave])
    loop.turn(1)
    slave.hurt = 1
    loop.turn(2)
    slave.answers_as = 4
    loop.turn(1)
    slave.answers_as = None
    loop.turn(3)
    assert {sample.grams for sample in weights(loop)} == {7.0}
    assert loop.states[-1].antennas == {1: UP}
    assert set(kinds(loop)) == {"frame_error"}


def test_inputs_are_believed_at_the_second_look() -> None:
    bits = {0: False}
    loop = connected((ModbusChannel(3, 8, Profile.INPUTS, address=0),), [Slave(8, inputs=lambda: bits)], poll_s=0.05)
    loop.turn(1)
    assert set(inputs(loop, 3)) == {0.0}
    bits[0] = True
    loop.turn(0.05)
    bits[0] = False
    loop.turn(1)
    assert set(inputs(loop, 3)) == {0.0}, "a bounce"
    bits[0] = True
    loop.turn(0.2)
    assert inputs(loop, 3)[-1] == 1.0


def test_temperature_and_what_cannot_be_told() -> None:
    device = Slave(9, {READ_INPUT_REGISTERS: lambda: {0: 0xFFF6}})
    cold = ModbusChannel(5, 9, Profile.TEMPERATURE, address=0, registers=Registers.INPUT, scale=0.1)
    loop = connected((cold, scale(1, 1)), [device, laumas(1, Pan(1.0))])
    loop.turn(1)
    assert set(inputs(loop, 5)) == {-1.0}
    device.exception = 4
    loop.turn(0.2)
    assert inputs(loop, 5)[-1] is None
    device.exception = None
    device.dead = True
    loop.turn(5)
    assert loop.states[-1].antennas[5] is DOWN
    assert inputs(loop, 5)[-1] is None


# -- which device is it? --------------------------------------------------------------------------------------


def test_another_transmitter_under_the_same_address_is_not_used() -> None:
    """It was exchanged while the line stayed open: its silence was seen, and who answers next is asked for its name."""
    pans = [Pan(1.0), Pan(2.0), Pan(9.0)]
    line = [laumas(1, pans[0], serial=11), laumas(2, pans[1], serial=12)]
    loop = connected((scale(1, 1), scale(2, 2)), line)
    loop.turn(2)
    assert isinstance(loop.device, ModbusLine)
    loop.device.slaves[1].dead = True
    loop.turn(1)
    loop.device.slaves[1] = laumas(1, pans[2], serial=99)
    loop.turn(10)
    assert {sample.grams for sample in weights(loop, 1)} == {1.0}
    assert loop.states[-1].antennas == {1: DOWN, 2: UP}
    faults = [notice.fault for notice in loop.notices]
    assert [fault.kind for fault in faults] == ["another_device"]
    assert "type 13 serial 99" in faults[0].text
    assert "slave 1 of " in faults[0].text
    loop.device.slaves[1] = laumas(1, Pan(1.5), serial=11)
    loop.turn(10)
    assert weights(loop, 1)[-1].grams == 1.5
    assert loop.states[-1].antennas == {1: UP, 2: UP}


def test_what_a_slave_was_called_before_holds_for_the_next_connection() -> None:
    settings = ModbusSettings(PORT, (scale(1, 1),))
    session = ModbusSession("r", settings, BAUDRATE, {1: "type 13 serial 11"})
    loop = Loopback(session, ModbusLine([laumas(1, Pan(9.0), serial=99)]), TurnedClock())
    loop.turn(5)
    assert weights(loop) == []
    assert session.fault is not None
    assert session.fault.kind == "another_device"
    assert session.identities == {1: "type 13 serial 11"}


def test_a_transmitter_that_does_not_tell_its_name_is_used_all_the_same() -> None:
    loop = connected(
        (scale(1, 1), scale(2, 2, Profile.DINI_ARGEO)), [laumas(1, Pan(3.0), serial=None), dini_argeo(2, Pan(4.0))]
    )
    loop.turn(2)
    assert ({sample.grams for sample in weights(loop, 1)}, kinds(loop)) == ({3.0}, [])
    assert {sample.grams for sample in weights(loop, 2)} == {4.0}


def named(grams: float, *names: str) -> Slave:
    slave = dini_argeo(2, Pan(grams))
    slave.names = names
    return slave


def test_what_a_device_calls_itself_by_the_standard_tells_it_from_another_one() -> None:
    devices = scale(1, 1), scale(2, 2, Profile.DINI_ARGEO)
    loop = connected(devices, [laumas(1, Pan(3.0)), named(4.0, "Acme", "W1", "2.0")])
    loop.turn(2)
    assert isinstance(loop.device, ModbusLine)
    assert weights(loop, 2)[-1].grams == 4.0
    for other in (named(9.0, "Acme", "W2", "2.0"), named(9.0)):
        loop.device.slaves[2].dead = True
        loop.turn(1)
        loop.device.slaves[2] = other
        loop.turn(1.5)
        assert weights(loop, 2)[-1].grams == 4.0
        assert kinds(loop)[-1] == "another_device"
        loop.device.slaves[2] = named(4.0, "Acme", "W1", "2.0")
        loop.turn(6)
        assert weights(loop, 2)[-1].at_us > loop.clock.at_us - 500_000
    told = [notice.fault.text for notice in loop.notices]
    assert ["'Acme W2 2.0', not 'Acme W1 2.0'" in told[0], "'nothing of itself'" in told[-1]] == [True, True]


def test_a_device_that_ignores_the_question_is_used_and_asked_no_more() -> None:
    slave = dini_argeo(2, Pan(4.0))
    slave.ignores_names = True
    loop = connected((scale(2, 2, Profile.DINI_ARGEO), scale(1, 1)), [slave, laumas(1, Pan(3.0))])
    loop.turn(2)
    assert isinstance(loop.session, ModbusSession)
    assert (weights(loop, 2)[-1].grams, kinds(loop)) == (4.0, [])
    assert loop.session.identities == {1: "type 13 serial 1234", 2: ""}
    assert longest_gap_s(weights(loop, 1)) < 0.7, "its silence costs the other little"
    asked, identities = slave.asked, loop.session.identities
    settings = ModbusSettings(PORT, (scale(2, 2, Profile.DINI_ARGEO),))
    again = Loopback(ModbusSession("r", settings, BAUDRATE, identities), ModbusLine([slave]), TurnedClock())
    again.turn(1)
    assert slave.asked - asked == len(weights(again, 2)), "not a question but for its weight"


def test_one_lost_answer_makes_no_device_mute() -> None:
    slave = named(4.0, "Acme", "W1")
    loop = connected((scale(2, 2, Profile.DINI_ARGEO),), [slave])
    loop.turn(0.01)
    slave.hurt = 1
    loop.turn(2)
    assert isinstance(loop.session, ModbusSession)
    assert loop.session.identities == {2: "Acme W1"}


def test_registers_that_the_technician_names_tell_a_device_from_another_one() -> None:
    def slot(serial: int) -> Slave:
        return Slave(7, {READ_INPUT_REGISTERS: lambda: {100: 0, 101: serial}}, lambda: {0: True})

    eye = ModbusChannel(1, 7, Profile.INPUTS, address=0, identity_address=100, identity_registers=Registers.INPUT)
    loop = connected((eye,), [slot(11)])
    loop.turn(1)
    assert isinstance(loop.device, ModbusLine)
    assert inputs(loop, 1)[-1] == 1.0
    loop.device.slaves[7].dead = True
    loop.turn(1)
    loop.device.slaves[7] = slot(12)
    loop.turn(1.5)
    assert kinds(loop) == ["another_device"]
    assert "register 101 12" in loop.notices[0].fault.text
    with pytest.raises(ValueError, match="one identity_address a slave"):
        ModbusSettings(PORT, (eye, ModbusChannel(2, 7, Profile.INPUTS, address=1, identity_address=5)))
