"""What the fault tests share: a shop where people carry things about, and the judgement at the end."""

import json
import os
import time
from collections.abc import Iterable
from random import Random

from gateway.consumer.client import Applied as AppliedDelta
from gateway.consumer.client import Change, Consumer
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
    """Notes what a consumer applies; `consumer.on_change`."""

    def __init__(self) -> None:
        self.seqs: list[tuple[str, int]] = []

    def __call__(self, change: Change) -> None:
        if isinstance(change, AppliedDelta):
            self.seqs.append((change.delta.epoch, change.delta.seq))

    @property
    def doubled(self) -> int:
        """Deltas that were applied more than once."""
        return len(self.seqs) - len(set(self.seqs))


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


def table_row(fault: str, runs: int, consumers: Iterable[Consumer], doubled: int, lost: int, longest_s: float) -> str:
    """One line of the table that a soak prints."""
    applied = sum(consumer.counters.applied for consumer in consumers)
    return (
        f"{fault}: seed {SEED}, {runs} faults, {applied} deltas applied, "
        f"{lost} lost, {doubled} doubled, longest recovery {longest_s:.1f} s"
    )
