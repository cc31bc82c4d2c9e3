import json

import pytest

from simulators.serial.fixtures import Plate, Pusher, Slots
from simulators.serial.scales import ShelfBoard


def said(board: ShelfBoard) -> dict[int, dict[str, object]]:
    """What one line of a board tells, by channel."""
    ((_, line),) = board.feed(b"")
    return {entry["c"]: entry for entry in json.loads(line)["ch"]}


def test_a_pusher_stands_closer_for_each_piece() -> None:
    pusher = Pusher(3, pieces=4)
    board = ShelfBoard(fixtures=[pusher])
    values = [said(board)[3]["in"] for _ in range(50)]
    assert all(isinstance(value, float) and abs(value - 200) < 25 for value in values)
    assert len(set(values)) > 20, "it is noisy"
    pusher.held_mm = 390.0
    held = said(board)[3]["in"]
    assert isinstance(held, float)
    assert held > 360
    pusher.dark = True
    assert said(board)[3]["in"] is None


def test_slots_see_what_covers_them_unless_an_eye_is_dirty() -> None:
    slots = Slots((11, 12, 13))
    board = ShelfBoard(fixtures=[slots])
    slots.covered[1] = True
    assert [entry["in"] for entry in said(board).values()] == [0, 1, 0]
    slots.stuck[2] = True
    assert slots.bits() == {0: False, 1: True, 2: True}
    assert [entry["in"] for entry in said(board).values()] == [0, 1, 1]


def test_a_plate_rests_on_the_cells_beside_the_load() -> None:
    plate = Plate({1: 0.0, 2: 400.0, 3: 800.0}, noise_g=0.0)
    board = ShelfBoard(fixtures=[plate])
    plate.lying = [(100.0, 400.0), (400.0, 50.0)]
    plate.hands = [(900.0, 30.0)]
    assert [entry["g"] for entry in said(board).values()] == [pytest.approx(each) for each in (300, 150, 30)]
    plate.dead.add(2)
    assert [entry.get("e") for entry in said(board).values()] == [None, "fault", None]
