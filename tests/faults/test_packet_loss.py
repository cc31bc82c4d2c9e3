"""A network that drops packets at random: TCP grows slow and breaks, the deltas go on in order."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from gateway import window
from gateway.broker import free_port
from gateway.daemon import Gateway
from tests.broker import Broker
from tests.faults.lossy import LossyNetwork, lossy_network
from tests.faults.shop import SEED, Recovery, Witness, missing, table_row, times
from tests.rig import Rig, eventually, hurry, in_step, write

# TCP doubles its patience with each packet that is lost twice: of forty faults the longest took 51 s, or over 60 s.
LIMIT_S = 200.0
LOSSES = (0.02, 0.1, 0.3)
NOTICED_S = 20.0
ROUNDS = times("LOSS_ROUNDS", 1)


@pytest.fixture
async def network() -> AsyncIterator[LossyNetwork]:
    async with lossy_network(Random(SEED)) as one:
        yield one


async def drained(gateway: Gateway) -> None:
    await eventually(lambda: gateway.backlog == 0, limit_s=LIMIT_S)


@pytest.mark.slow
@pytest.mark.timeout(300 + 120 * ROUNDS)
async def test_packets_are_lost_on_the_way_to_the_broker(
    network: LossyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(window, "FIRST_REST_S", 0.1)
    rng = Random(SEED)
    witness, recovery, faults = Witness(), Recovery(), 0
    beyond = free_port(network.near)
    async with (
        Broker(tmp_path / "broker", extra=(f"listener {beyond} {network.near}",)) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.consumer(on_change=witness) as consumer,
        rig.listener() as heard,
    ):
        there = f"mqtt://{network.far}:{beyond}"
        text = rig.text(mqtt="keepalive_s = 2\nconnect_timeout_s = 5").replace(broker.url, there)
        async with rig.gateway(text) as gateway:
            for _ in range(ROUNDS):
                for loss in LOSSES:
                    recovery.start()
                    network.loss = loss
                    for _ in range(10):
                        await write(gateway, rng.randint(50, 150), at_a_time=10)
                    await drained(gateway)
                    recovery.stop()
                    faults += 1
                recovery.start()
                network.loss = 1.0
                await write(gateway, 300)
                await eventually(lambda: not gateway.uplink.connected, limit_s=NOTICED_S)
                network.loss = 0.0
                await drained(gateway)
                recovery.stop()
                faults += 1
            await in_step(gateway, consumer, limit_s=LIMIT_S)
            last = gateway.ledger.position.seq
            await heard.until(lambda: last in heard.seqs(), LIMIT_S)
        lost = missing(heard, last)
        name = f"{network.dropped} of {network.dropped + network.passed} packets lost"
        print(table_row(name, faults, [consumer], witness, len(lost), recovery.longest_s))
        assert network.dropped > faults
        assert lost == []
        assert witness.whole
        assert not consumer.counters.findings
