import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.driver import ReaderError
from readers.llrp.control import AntennaPlan, Capabilities
from readers.llrp.rospec import merge_air, plan_rospec, power_index
from readers.llrp.settings import AirSettings, LlrpSettings
from readers.llrp.vendors import model_name

DEVICE = Capabilities(
    max_antennas=4,
    power_dbm={1: 10.0, 2: 10.25, 81: 30.0},
    modes=(0, 1000),
    hop_table_ids=(7, 8),
)


def settings(antennas: tuple[int, ...] = (1, 2), **more: object) -> LlrpSettings:
    return LlrpSettings("reader", antennas, **more)  # type: ignore[arg-type]  # a test's shorthand


def test_antennas_are_listed_one_by_one_and_left_to_the_device_where_nothing_is_set() -> None:
    spec = plan_rospec(settings((3, 1, 3), report_every_tags=9), DEVICE)
    assert [plan.antenna for plan in spec.antennas] == [1, 3]
    assert {(plan.power_index, plan.mode, plan.session, plan.population) for plan in spec.antennas} == {(None,) * 4}
    assert (spec.rospec_id, spec.report_every_tags) == (1, 9)


def test_the_device_s_own_indices_are_used() -> None:
    air = AirSettings(power_dbm=29.9, session=2, mode=1000, population=100)
    spec = plan_rospec(settings(air=air, per_antenna={2: AirSettings(power_dbm=30, session=0)}), DEVICE)
    assert spec.antennas == (
        AntennaPlan(1, 2, 7, 0, mode=1000, session=2, population=100),
        AntennaPlan(2, 81, 7, 0, mode=1000, session=0, population=100),
    )


def test_a_reader_that_does_not_hop_has_no_hop_table() -> None:
    device = Capabilities(max_antennas=1, power_dbm={0: 15.0}, fixed_channels_khz=(865_700, 866_300))
    (plan,) = plan_rospec(settings((1,), air=AirSettings(power_dbm=20)), device).antennas
    assert (plan.hop_table_id, plan.channel_index, plan.power_index) == (0, 1, 0)


FIXED = Capabilities(max_antennas=2, power_dbm={0: 15.0}, fixed_channels_khz=(865_700, 866_300, 866_900))


def test_a_channel_is_an_entry_of_the_frequency_table() -> None:
    own = {2: AirSettings(channel=1)}
    one, two = plan_rospec(settings(air=AirSettings(power_dbm=20, channel=3), per_antenna=own), FIXED).antennas
    assert (one.channel_index, two.channel_index) == (3, 1)


@pytest.mark.parametrize(
    ("device", "air", "text", "hint"),
    [
        (FIXED, AirSettings(power_dbm=20, channel=4), "channel 4", "1 (865.7 MHz), 2 (866.3 MHz), 3 (866.9 MHz)"),
        (FIXED, AirSettings(power_dbm=20, channel=0), "channel 0", "it lists: 1"),
        (FIXED, AirSettings(channel=2), "without power_dbm", "set power_dbm"),
        (DEVICE, AirSettings(power_dbm=20, channel=2), "this reader hops", "leave channel out"),
        (Capabilities(power_dbm={0: 15.0}), AirSettings(power_dbm=20, channel=1), "lists none", "region"),
    ],
)
def test_a_channel_that_is_not_to_be_had(device: Capabilities, air: AirSettings, text: str, hint: str) -> None:
    with pytest.raises(ReaderError) as caught:
        plan_rospec(settings((1,), air=air), device)
    assert caught.value.fault.kind == "unsuited"
    assert text in caught.value.fault.text
    assert hint in caught.value.fault.hint


@pytest.mark.parametrize(("air", "session", "population"), [((1, None), 1, 32), ((None, 5), 1, 5), ((0, 0), 0, 0)])
def test_session_and_population_go_together(air: tuple[int | None, int | None], session: int, population: int) -> None:
    (plan,) = plan_rospec(settings((1,), air=AirSettings(session=air[0], population=air[1])), DEVICE).antennas
    assert (plan.session, plan.population) == (session, population)


@pytest.mark.parametrize(
    ("bad", "text", "hint"),
    [
        (settings((0,)), "antenna 0", "1 to 4"),
        (settings((5,)), "antenna 5", "1 to 4"),
        (settings(()), "no antenna", "list"),
        (settings(air=AirSettings(power_dbm=9.9)), "below the reader's lowest level, 10 dBm", "10 to 30 dBm"),
        (settings(air=AirSettings(mode=3)), "mode 3", "0, 1000"),
        (settings(air=AirSettings(session=4)), "session 4", "0 to 3"),
        (settings(air=AirSettings(population=70000)), "70000", "65535"),
        (settings(report_every_tags=0), "every 0 tags", "1 to 65535"),
    ],
)
def test_what_the_device_cannot_do_is_said_with_a_hint(bad: LlrpSettings, text: str, hint: str) -> None:
    with pytest.raises(ReaderError) as caught:
        plan_rospec(bad, DEVICE)
    assert caught.value.fault.kind == "unsuited"
    assert text in caught.value.fault.text
    assert hint in caught.value.fault.hint


def test_no_power_table_at_all() -> None:
    with pytest.raises(ReaderError, match="lists no power levels"):
        power_index(20, Capabilities())


@given(
    st.dictionaries(st.integers(0, 300), st.integers(-1000, 4000).map(lambda v: v / 100), min_size=1),
    st.floats(-10, 45, allow_nan=False),
)
def test_the_power_is_the_strongest_that_does_not_exceed_what_was_asked(table: dict[int, float], asked: float) -> None:
    device = Capabilities(power_dbm=table)
    below = [level for level in table.values() if level <= asked]
    if below:
        assert table[power_index(asked, device)] == max(below)
    else:
        with pytest.raises(ReaderError):
            power_index(asked, device)


def test_an_antenna_s_own_setting_goes_before_the_reader_s() -> None:
    base = AirSettings(power_dbm=20, session=1)
    assert merge_air(base, None) is base
    assert merge_air(base, AirSettings(power_dbm=0.0, mode=2)) == AirSettings(0.0, 1, 2, None)


def test_names_of_devices() -> None:
    assert model_name(25882, 2001002) == "Impinj Speedway R420"
    assert model_name(161, 96) == "Zebra model 96"
    assert model_name(1, 2) == "manufacturer 1 model 2"
    assert [model_name(161, 0), model_name(0, 3), model_name(0, 0)] == ["Zebra", "model 3", ""]
