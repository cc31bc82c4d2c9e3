import gc
import itertools

import pytest

from gateway.domain import hearing, newcomers, timers
from gateway.domain import inventory as module
from gateway.domain.presence import Presence
from tests.gateway.shop import QUICK_SHOP, Shop, identity, tag


def test_a_rush_is_judged_in_several_ticks_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MOST_CELLS_PER_TICK", 10)
    shop = Shop()
    epcs = [tag(serial) for serial in range(25)]
    shop.hear(1, *epcs)
    shop.clock.turn(0.5)
    shop.hear(1, *epcs)
    counted = []
    for left in (True, True, False):
        counted.append(len(shop.tick()))
        assert shop.inventory.behind is left
    assert counted == [10, 10, 5]


def test_many_that_fall_silent_at_once_are_judged_in_several_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "MOST_LOOKS_PER_TICK", 10)
    shop = Shop(QUICK_SHOP)
    shop.read_for(1.5, [(1, tag(serial), -55) for serial in range(25)], every_s=0.5)
    missing = [0]
    for _ in range(400):
        shop.hear(1, tag(99))  # the antenna is not deaf
        shop.clock.turn(0.25)
        shop.tick()
        missing.append(len(shop.inventory.missing))
        if shop.inventory.behind:
            assert missing[-1] < 25
    assert missing[-1] == 25
    assert max(after - before for before, after in itertools.pairwise(missing)) == 10


def test_many_that_only_passed_by_are_forgotten_in_several_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newcomers, "MOST_LOOKS_PER_TICK", 10)
    shop = Shop(QUICK_SHOP)
    shop.place(99)
    shop.hear(1, *(tag(serial) for serial in range(25)))
    known = [26]
    shop.clock.turn(70)
    while known[-1] > 1:
        shop.tick()
        known.append(len(shop.inventory))
    assert max(before - after for before, after in itertools.pairwise(known)) == 10


def test_what_is_forgotten_is_free_without_the_garbage_collector() -> None:
    def items() -> int:
        return sum(isinstance(one, module.Item) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        shop = Shop()
        before = items()
        shop.hear(1, *(tag(serial) for serial in range(25)))
        shop.tick()
        assert items() == before + 25
        shop.clock.turn(4_000)
        shop.wait(3_600, step_s=60)
        assert items() == before
    finally:
        gc.enable()


def test_a_flood_of_invented_tags_is_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newcomers, "MAX_GLIMPSED_ITEMS", 10)
    shop = Shop()
    shop.place(99)
    for serial in range(50):
        shop.hear(1, tag(serial))
        shop.tick()
    assert len(shop.inventory) == 11
    assert shop.item(99).presence is Presence.PRESENT
    assert shop.inventory.find(identity(0)) is None
    assert shop.item(49).presence is Presence.GLIMPSED


def test_what_was_forgotten_while_its_reads_waited_to_be_judged_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.hear(2, tag(7))
    shop.tick()
    shop.clock.turn(61)
    monkeypatch.setattr(hearing, "MOST_CELLS_PER_TICK", 1)
    shop.hear(1, tag(8))
    for _ in range(2):  # these wait behind the one above while their item's time runs out
        shop.hear(2, tag(7))
        shop.clock.turn(0.4)
    assert shop.tick() == []
    assert shop.inventory.find(identity(7)) is None
    monkeypatch.undo()
    assert shop.tick() == []
    shop.place(7, port=2)
    assert len([item for item in shop.inventory if item.identity == identity(7)]) == 1
