"""The demo's words for items that count elsewhere than they lie."""

from dataclasses import replace

from gateway.cli.demo_rest import differences, lying
from gateway.domain.items import Identity
from gateway.domain.presence import Presence
from tests.gateway.shop import RACK, Shop, identity, tag


def test_each_kind_of_difference_has_its_words() -> None:
    shop = Shop({"a": replace(RACK, first_read_chance=0.0), "b": RACK})
    for serial in range(1, 6):
        shop.place(serial)
    # Read once: where a first read is enough it counts, and elsewhere not yet.
    shop.hear(1, tag(6))
    shop.hear(2, tag(8))
    shop.tick()
    truth = {identity(serial): "a" for serial in range(1, 7)}
    assert differences(truth, shop.inventory) == {}
    truth = {identity(1): "a", identity(2): "b", identity(3): "b", identity(5): "a", identity(8): "b", identity(9): "b"}
    shop.item(5).presence = Presence.DEPARTED
    assert differences(truth, shop.inventory) == {
        "in b, not counted: not read often enough yet": 2,
        "in b, still counted in a: too few reads have told that it was carried": 2,
        "gone, still counted in a: silent, but not for long enough": 1,
        "in a that never was: read once by chance, given up when it stays silent": 1,
        "in a, taken for gone: silent for too long": 1,
    }


def test_what_lies_where_is_told_of_items_alone() -> None:
    epc = bytes.fromhex("3066C4409047E140075BCD15")
    assert lying([(epc, "a"), (b"\xe2\x80", "b")]) == {Identity("09506000134352", "123456789"): "a"}
