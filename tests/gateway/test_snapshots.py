"""The contract's rhythms, by a clock that is turned by hand and pauses that are short."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import payloads, snapshots
from gateway.domain.delta import Change, Step
from gateway.domain.items import Cause
from gateway.ledger import Ledger, open_ledger
from gateway.ledger_group import Commit
from gateway.payloads import Digest, Manifest, SnapshotPart, Topics
from gateway.retained import RetainedTree
from gateway.snapshots import Snapshots
from gateway.tasks import beside
from tests.gateway.shop import HandClock
from tests.rig import eventually

TOPICS = Topics.of("p", "s", "g")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(tmp_path / "l.db", "s", "g", max_bytes=10_000_000, utc_us=10**15) as one, beside(one.run()):
        yield one


class Bench:
    """Snapshots over a real ledger; `said` are the topics in the order in which they would be published."""

    def __init__(self, ledger: Ledger) -> None:
        self.clock = HandClock()
        self.ledger = ledger
        self.said: list[str] = []
        self.tree = RetainedTree(self._take)
        self.parts = Snapshots(ledger, TOPICS, self.tree, self.clock)

    def _take(self) -> None:
        self.said += [topic for topic, _ in self.tree.take()]

    async def write(self, rows: int) -> None:
        changes = [Change(f"{n:014}", "floor", "sellable_accessible", 1, 1, 1, stale=False) for n in range(rows)]
        steps = list(Step(tuple(changes), {Cause.ARRIVED: rows}).split())
        await self.ledger.commit(Commit(10**15, steps))

    def manifest(self) -> Manifest:
        return Manifest.model_validate_json(self.tree.payload(TOPICS.manifest) or b"")

    def digest(self) -> Digest:
        return Digest.model_validate_json(self.tree.payload(TOPICS.digest) or b"")


async def test_a_snapshot_is_complete_and_its_manifest_comes_last_at_every_connect(ledger: Ledger) -> None:
    bench = Bench(ledger)
    bench.parts.limit_bytes = 5_000
    await bench.write(20)
    await bench.parts.publish()
    await bench.write(200)
    await bench.parts.publish()
    manifest = bench.manifest()
    assert manifest.parts > 1
    parts = [SnapshotPart.model_validate_json(bench.tree.payload(TOPICS.part(n)) or b"") for n in range(manifest.parts)]
    rows = [row for part in parts for row in part.rows]
    assert len(rows) == manifest.rows == 200
    assert payloads.rows_hash(rows) == manifest.hash
    assert all(len(part.encode()) <= 5_000 for part in parts)
    assert bench.said[-1] == TOPICS.manifest
    bench.tree.renew()
    assert [topic for topic, _ in bench.tree.take()][-1] == TOPICS.manifest


async def test_an_empty_stock_has_a_manifest_without_parts(ledger: Ledger) -> None:
    bench = Bench(ledger)
    await bench.parts.publish()
    assert bench.said == [TOPICS.manifest]
    manifest = bench.manifest()
    assert (manifest.parts, manifest.rows, manifest.as_of) == (0, 0, 0)


async def test_parts_of_an_earlier_life_are_cleared_when_the_stock_has_shrunk_since(ledger: Ledger) -> None:
    bench = Bench(ledger)
    bench.parts.limit_bytes = 5_000
    await bench.write(200)
    expected = await bench.parts.count_parts()
    bench.parts.limit_bytes = payloads.MAX_PAYLOAD_BYTES
    await bench.parts.publish()
    assert bench.manifest().parts == 1
    cleared = [topic for topic in bench.said if bench.tree.payload(topic) == b""]
    assert cleared == [TOPICS.part(n) for n in range(1, expected)]


async def test_a_request_within_ten_seconds_waits_and_is_not_forgotten(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_AT_MOST_EVERY_S", 0.3)
    monkeypatch.setattr(snapshots, "DIGEST_EVERY_S", 0.05)
    bench = Bench(ledger)
    assert bench.parts.ask()
    async with beside(bench.parts.run()):
        await eventually(lambda: TOPICS.manifest in bench.said)
        await bench.write(1)
        assert not bench.parts.ask()
        bench.clock.turn(0.1)
        # Several digests pass meanwhile; each ends the waiting and begins it again.
        await eventually(lambda: bench.digest().seq == 1)
        assert bench.manifest().as_of == 0
        bench.clock.turn(0.3)
        await eventually(lambda: bench.manifest().as_of == 1)


async def test_a_quarter_of_an_hour_brings_one_only_if_something_changed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "DIGEST_EVERY_S", 0.02)
    bench = Bench(ledger)
    await bench.write(1)
    await bench.parts.publish()
    bench.said.clear()
    async with beside(bench.parts.run()):
        bench.clock.turn(snapshots.SNAPSHOT_EVERY_S + 1)
        # The digest is said again and again, for who missed it; a snapshot of the same stock is not.
        await eventually(lambda: len(bench.said) > 2)
        assert set(bench.said) == {TOPICS.digest}
        await bench.write(1)
        await eventually(lambda: bench.manifest().as_of == 2)
        bench.clock.turn(snapshots.SNAPSHOT_EVERY_S - 1)
        await bench.write(1)
        await eventually(lambda: bench.digest().seq == 3)
        assert bench.manifest().as_of == 2
        bench.clock.turn(2)
        await eventually(lambda: bench.manifest().as_of == 3)


async def test_the_digest_is_of_the_stock_on_disk(ledger: Ledger) -> None:
    bench = Bench(ledger)
    await bench.write(3)
    await bench.parts.publish_digest()
    await bench.parts.publish()
    digest = bench.digest()
    assert (digest.seq, digest.rows, digest.quantity) == (1, 3, 3)
    assert digest.hash == bench.manifest().hash


async def test_a_snapshot_that_is_interrupted_leaves_the_ledger_usable(ledger: Ledger) -> None:
    """A connection may end at any instruction of it."""
    bench = Bench(ledger)
    await bench.write(50)
    for turns in range(12):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.parts.publish())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        await bench.write(1)
        assert (await ledger.stock()).seq == ledger.position.seq
