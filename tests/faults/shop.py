"""What the fault tests share: a shop where people carry things about, and the judgement at the end."""

import json
import os
import time
from collections.abc import Iterable
from random import Random

from gateway.consumer.client import Applied, Change, Consumer, Replaced
from tests.rig import Listener, Rig

SEED = int(os.environ.get("FAULT_SEED", "1"))
"""What a failure is repeated with."""


# In a run of an hour the shop would fill up, until nothing were simulated but reads.
MOST_ITEMS = 300


def times(name: str, few: int) -> int:
    """How often a fault is done: `few` in the quick tests, more where the environment asks for it (`make soak`)."""
    return int(os.environ.get(name, few))


def shuffle(rig: Rig, rng: Random, most: int = 6) -> None:
    """People carry items about and bring new ones."""
    stock = rig.shop.stock
    for zone, to in (("floor", "backroom"), ("backroom", "floor"), ("receiving", "backroom")):
        for thing in stock.pick(zone, rng.randint(1, most)):
            stock.move(thing, to)
    if stock.arrived < MOST_ITEMS:
        gtin = next(thing.gtin for thing in stock.within("floor") if thing.gtin)
        stock.new_item(gtin, "receiving")


class Witness:
    """Counts what a consumer applies twice, and what it passes over; `consumer.on_change`.

    Numbers up to that of a snapshot are in the snapshot: they are not passed over.
    """

    def __init__(self) -> None:
        self.epochs: set[str] = set()
        self.applied = 0
        self.doubled = 0
        self.lost = 0
        self._last: tuple[str, int] | None = None

    def __call__(self, change: Change) -> None:
        match change:
            case Replaced(epoch, as_of, _):
                self._last = epoch, as_of
            case Applied(delta):
                self.epochs.add(delta.epoch)
                self.applied += 1
                epoch, last = self._last or (delta.epoch, delta.seq - 1)
                if epoch != delta.epoch:
                    last = 0
                self.doubled += delta.seq <= last
                self.lost += max(0, delta.seq - last - 1)
                self._last = delta.epoch, max(delta.seq, last)

    @property
    def whole(self) -> bool:
        """All of it, each once."""
        return self.applied > 0 and not self.doubled and not self.lost


def missing(heard: Listener, last: int) -> list[int]:
    """Numbers up to `last` that the broker never carried; a number must always name the same delta."""
    payloads: dict[int, bytes] = {}
    for message in heard.said(heard.topics.delta):
        seq = json.loads(message.payload)["seq"]
        assert payloads.setdefault(seq, message.payload) == message.payload, f"delta {seq} has two contents"
    return sorted(set(range(1, last + 1)) - set(payloads))


class Recovery:
    """How long the line took to be whole again after each fault."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._since_s = 0.0

    def start(self) -> None:
        self._since_s = time.monotonic()

    def stop(self) -> None:
        self.longest_s = max(self.longest_s, time.monotonic() - self._since_s)


def table_row(
    fault: str, runs: int, consumers: Iterable[Consumer], witness: Witness, missing: int, longest_s: float
) -> str:
    """One line of the table that a soak prints; `missing`: numbers that the broker never carried."""
    applied = sum(consumer.counters.applied for consumer in consumers)
    return (
        f"{fault}: seed {SEED}, {runs} faults, {applied} deltas applied, "
        f"{missing + witness.lost} lost, {witness.doubled} doubled, longest recovery {longest_s:.1f} s"
    )
