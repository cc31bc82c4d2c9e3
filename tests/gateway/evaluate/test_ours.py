"""Our own rule in the evaluation is the product's line, fed with all that was recorded."""

from gateway.domain.params import PROFILES, PresenceParams, Profile, ZoneKind
from gateway.evaluate.rules.ours import Ours
from tests.gateway.evaluate.recorded import BACK, FLOOR, R, readings, told


def steady(antenna: int, from_s: float, to_s: float, tag: int = 0) -> list[R]:
    """Two reads a second."""
    return [R(from_s + step / 2, antenna, tag) for step in range(int(2 * (to_s - from_s)))]


def test_an_item_is_counted_where_it_is_read_and_moves() -> None:
    found = told(Ours()(readings([*steady(FLOOR, 1, 60), *steady(BACK, 60, 99)])))
    assert [zone for _, zone in found] == ["floor", "back"]
    assert 1.0 <= found[0][0] < 5.0
    assert 60.0 < found[1][0] < 90.0


def test_a_lost_connection_is_no_departure() -> None:
    quick = {
        zone: PresenceParams(missing_floor_s=5.0, departed_floor_s=20.0, silence_ceiling_s=60.0) for zone in ("floor",)
    }
    reads = steady(FLOOR, 1, 100)
    lost = [(100.0, "r1", False), (100.0, "r2", False)]
    gone = told(Ours(quick)(readings(reads, end_s=4000)))
    kept = told(Ours(quick)(readings(reads, end_s=4000, links=lost)))
    pulled = told(Ours(quick)(readings(reads, end_s=4000, antenna_events=[(100.0, "r1", 1, False)])))
    assert [zone for _, zone in gone] == ["floor", None]
    assert [zone for _, zone in kept] == [zone for _, zone in pulled] == ["floor"]


def test_zones_have_the_parameters_of_their_kind_unless_others_are_given() -> None:
    given = PresenceParams(observed_reads=7)
    zones = {zone.id: zone for zone in Ours({"back": given}).zones(readings([]).recording)}
    assert zones["exit"].presence == PROFILES[Profile.DOOR]
    assert (zones["back"].kind, zones["back"].presence) == (ZoneKind.BACKROOM, given)
