"""Publishes the stock as a whole: snapshot parts, their manifest, and the digest in between. All are retained.

Putting ten thousand rows into words takes long enough to be done beside the event loop, in a thread.
"""

import asyncio

from gateway import payloads
from gateway.ledger import Ledger, StockAt
from gateway.retained import RetainedTree
from readers.driver import Clock

# The contract's rhythms: unasked, on request, and the digest.
SNAPSHOT_EVERY_S = 900.0
SNAPSHOT_AT_MOST_EVERY_S = 10.0
DIGEST_EVERY_S = 60.0


class Snapshots:
    """Writes into the retained tree what the ledger holds; asked by commands, by connects and by the clock."""

    def __init__(self, ledger: Ledger, topics: payloads.Topics, retained: RetainedTree, clock: Clock) -> None:
        self._ledger = ledger
        self._topics = topics
        self._retained = retained
        self._clock = clock
        self._asked = asyncio.Event()
        # An older snapshot must not be said after a newer one.
        self._publishing = asyncio.Lock()
        self._parts = 0
        self._published: tuple[str, int] | None = None
        self._published_s = -SNAPSHOT_EVERY_S
        self.limit_bytes = payloads.MAX_PAYLOAD_BYTES

    def ask(self) -> bool:
        """Somebody wants one; False where the last is so young that this one will wait."""
        self._asked.set()
        return self._age_s() >= SNAPSHOT_AT_MOST_EVERY_S

    async def run(self) -> None:
        """Keep digest and snapshot up to date while there is a connection; until cancelled."""
        while True:
            await self.publish_digest()
            if self._age_s() >= SNAPSHOT_EVERY_S and self._changed():
                self._asked.set()
            if await self._due():
                await self.publish()

    async def _due(self) -> bool:
        """Wait until a snapshot may be published, for as long as a digest lasts."""
        try:
            async with asyncio.timeout(DIGEST_EVERY_S):
                await self._asked.wait()
                await asyncio.sleep(max(0.0, SNAPSHOT_AT_MOST_EVERY_S - self._age_s()))
        except TimeoutError:
            return False
        return True

    async def publish(self) -> None:
        """Put the parts and then the manifest into the tree; clear parts that are no longer used."""
        async with self._publishing:
            await self._publish()

    async def _publish(self) -> None:
        stock = await self._ledger.stock()
        self._asked.clear()
        self._published_s = self._clock.monotonic_us() / 1e6
        at = payloads.rfc3339(self._clock.utc_us())
        parts, manifest = await asyncio.to_thread(_snapshot, stock, at, self.limit_bytes)
        for number, part in enumerate(parts):
            self._retained.say(self._topics.part(number), part)
        self._retained.say(self._topics.manifest, manifest)
        for unused in range(len(parts), self._parts):
            self._retained.clear(self._topics.part(unused))
        self._parts = len(parts)
        self._published = stock.epoch, stock.seq

    async def say_last(self) -> None:
        """Before a clean stop: who joins while the gateway is off finds the stock as it was left."""
        if self._changed():
            await self.publish()

    async def count_parts(self) -> int:
        """How many parts a snapshot of now would have; as many may be retained from an earlier life."""
        stock = await self._ledger.stock()
        parts, _ = await asyncio.to_thread(_snapshot, stock, "", self.limit_bytes)
        self._parts = max(self._parts, len(parts))
        return len(parts)

    async def publish_digest(self) -> None:
        """The stock in one hash."""
        stock = await self._ledger.stock()
        self._retained.say(self._topics.digest, await asyncio.to_thread(_digest, stock))

    def _changed(self) -> bool:
        position = self._ledger.position
        return self._published != (position.epoch, position.seq)

    def _age_s(self) -> float:
        return self._clock.monotonic_us() / 1e6 - self._published_s


def _snapshot(stock: StockAt, at: str, limit_bytes: int) -> tuple[list[bytes], bytes]:
    """The payloads of the parts, and of their manifest."""
    parts, manifest = payloads.snapshot(_rows(stock), stock.epoch, stock.seq, at, limit_bytes)
    return [part.encode() for part in parts], manifest.encode()


def _digest(stock: StockAt) -> bytes:
    rows = stock.rows
    return payloads.Digest(
        epoch=stock.epoch,
        seq=stock.seq,
        rows=len(rows),
        quantity=sum(row.quantity for row in rows),
        hash=payloads.stock_hash((row.gtin, row.zone, row.quantity, row.confirmed) for row in rows),
    ).encode()


def _rows(stock: StockAt) -> list[payloads.Row]:
    return [
        payloads.Row(
            gtin=row.gtin,
            zone=row.zone,
            disposition=row.disposition,
            quantity=row.quantity,
            confirmed=row.confirmed,
        )
        for row in stock.rows
    ]
