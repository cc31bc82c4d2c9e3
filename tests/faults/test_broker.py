"""Whatever the broker and the network before it do: deltas go out in order, none is lost, none is applied twice."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from gateway import uplink, window
from gateway.consumer.broker import ConnectOptions
from gateway.consumer.mqtt import Connection
from gateway.consumer.store import SqliteStore
from gateway.daemon import Gateway
from simulators.chaos import ChaosProxy, Lane, Way, chaos_proxy
from tests.broker import Broker
from tests.faults.shop import SEED, Recovery, Witness, missing, table_row, times
from tests.rig import HOST, LIMIT_S, Rig, eventually, hurry, in_step, write

# The keepalive is a second: what is muted is noticed within a few.
NOTICED_S = 6.0
PERSISTENT = ("persistence true", "autosave_interval 1", "autosave_on_changes true")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(window, "FIRST_REST_S", 0.1)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Without readers: the tests write deltas themselves, and know how many."""
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


def through(proxy: ChaosProxy, rig: Rig) -> str:
    """The configuration of a gateway whose network is the proxy."""
    return rig.text(mqtt="keepalive_s = 1\nconnect_timeout_s = 2").replace(
        rig.broker.url, f"mqtt://{HOST}:{proxy.port}"
    )


class Mishaps:
    """What can happen to the way to the broker; each ends by itself."""

    def __init__(self, proxy: ChaosProxy, gateway: Gateway, rng: Random) -> None:
        self.proxy = proxy
        self.gateway = gateway
        self.rng = rng

    async def reset(self) -> None:
        self.proxy.reset()

    async def torn_within_a_publish(self) -> None:
        self.proxy.up = Lane(tear_after=self.rng.randrange(1, 5_000))

    async def torn_within_the_answers(self) -> None:
        self.proxy.down = Lane(tear_after=self.rng.randrange(1, 60))

    async def answers_lost(self) -> None:
        """The broker takes what it gets, the gateway never hears of it."""
        self.proxy.mute(Way.DOWN)
        await self._noticed()

    async def silence(self) -> None:
        self.proxy.mute(*Way)
        await self._noticed()

    async def slow(self) -> None:
        self.proxy.up = Lane(bytes_per_s=40_000, delay_s=0.02)
        self.proxy.down = Lane(delay_s=0.05)
        await asyncio.sleep(self.rng.uniform(0.1, 0.4))
        self.proxy.calm()

    async def half_closed(self) -> None:
        self.proxy.half_close()

    async def nobody_there(self) -> None:
        self.proxy.refusing = True
        self.proxy.reset()
        await asyncio.sleep(self.rng.uniform(0.1, 0.5))
        self.proxy.calm()

    async def _noticed(self) -> None:
        before = self.proxy.connections
        await eventually(lambda: self.proxy.connections > before, limit_s=NOTICED_S)

    def all(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.reset,
            self.torn_within_a_publish,
            self.torn_within_the_answers,
            self.answers_lost,
            self.silence,
            self.slow,
            self.half_closed,
            self.nobody_there,
        ]


async def test_the_network_to_the_broker_does_all_it_can(rig: Rig) -> None:
    rng, rounds = Random(SEED), times("NETWORK_ROUNDS", 1)
    witness, recovery, faults = Witness(), Recovery(), 0
    async with (
        chaos_proxy(rig.broker.port) as proxy,
        rig.consumer(on_change=witness) as consumer,
        rig.listener() as heard,
    ):
        async with rig.gateway(through(proxy, rig)) as gateway:
            mishaps = Mishaps(proxy, gateway, rng)
            for _ in range(rounds):
                kinds = mishaps.all()
                rng.shuffle(kinds)
                for mishap in kinds:
                    await write(gateway, rng.randint(1, 400), at_a_time=rng.randint(1, 50))
                    recovery.start()
                    await mishap()
                    await write(gateway, rng.randint(1, 400), at_a_time=rng.randint(1, 50))
                    await eventually(lambda: gateway.backlog == 0, limit_s=NOTICED_S + LIMIT_S)
                    recovery.stop()
                    proxy.calm()
                    faults += 1
            await in_step(gateway, consumer)
            last = gateway.ledger.position.seq
            await heard.until(lambda: last in heard.seqs())
        lost = missing(heard, last)
        print(table_row("network to the broker", faults, [consumer], witness, len(lost), recovery.longest_s))
        assert lost == []
        assert witness.whole
        assert not consumer.counters.findings


def _steps_back(seqs: list[int]) -> list[tuple[int, int]]:
    """Where a number was followed by one that is not the next."""
    return [(seq, after) for seq, after in itertools.pairwise(seqs) if after != seq + 1]


async def test_what_is_in_flight_is_resent_in_order(rig: Rig) -> None:
    """The broker sees the numbers rise by one, but for the step back to the lowest unanswered at each reconnect."""
    rng, cuts = Random(SEED), 5
    async with chaos_proxy(rig.broker.port) as proxy, rig.listener() as heard:
        async with rig.gateway(through(proxy, rig)) as gateway:
            for _ in range(cuts):
                await write(gateway, 300)
                proxy.down = Lane(tear_after=rng.randrange(1, 400))
                await write(gateway, 300)
                await eventually(lambda: gateway.backlog == 0)
                proxy.calm()
            last = gateway.ledger.position.seq
            await heard.until(lambda: last in heard.seqs())
        back = _steps_back(heard.seqs())
        assert len(back) <= cuts
        assert all(0 < before + 1 - after <= window.MAX_IN_FLIGHT for before, after in back)
        assert missing(heard, last) == []


@pytest.mark.parametrize("extra", [(), PERSISTENT], ids=["forgetful", "persistent"])
async def test_the_broker_is_killed_under_load(tmp_path: Path, extra: tuple[str, ...]) -> None:
    rng, kills = Random(SEED), times("BROKER_KILLS", 3)
    witness, recovery = Witness(), Recovery()
    place = (f"persistence_location {tmp_path / 'broker'}/",) if extra else ()
    async with (
        Broker(tmp_path / "broker", extra=(*extra, *place)) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        await SqliteStore.open(tmp_path / "central.db", rig.topics.root) as store,
        rig.consumer("kept", store) as kept,
        rig.consumer("plain", on_change=witness) as plain,
        rig.gateway() as gateway,
    ):
        for _ in range(kills):
            await write(gateway, rng.randint(100, 600), at_a_time=20)
            broker.kill()
            recovery.start()
            await write(gateway, rng.randint(1, 300), at_a_time=20)
            await broker.start()
            await eventually(lambda: gateway.uplink.connected and gateway.backlog == 0, limit_s=2 * LIMIT_S)
            await in_step(gateway, kept, plain, limit_s=2 * LIMIT_S)
            recovery.stop()
        name = f"broker killed, {'persistent' if extra else 'forgetful'}"
        print(table_row(name, kills, [kept, plain], witness, 0, recovery.longest_s))
        assert witness.whole
        for consumer in (kept, plain):
            assert not {"stock_differs", "epoch_changed"} & set(consumer.counters.findings)


async def test_a_password_that_is_wrong_for_a_while(tmp_path: Path) -> None:
    """The broker refuses the connection until its operator has put the password right; what was counted waits."""
    (tmp_path / "word").write_text("right")
    (tmp_path / "word").chmod(0o600)
    folder = tmp_path / "broker"
    async with (
        Broker(folder, users={"gw": "wrong", "other": "other"}) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
    ):
        text = rig.text(mqtt='username = "gw"\npassword_file = "word"')
        async with rig.gateway(text, online=False) as gateway:
            await write(gateway, 50)
            await eventually(lambda: gateway.uplink._backoff.attempts > 2)
            assert not gateway.uplink.connected
            broker.users["gw"] = "right"
            broker._write_config()
            assert broker.process is not None
            broker.process.send_signal(signal.SIGHUP)
            await eventually(lambda: gateway.backlog == 0)


async def test_a_client_that_takes_our_name_again_and_again_costs_nothing(rig: Rig) -> None:
    witness = Witness()
    async with rig.consumer(on_change=witness) as consumer, rig.gateway() as gateway:
        for _ in range(3):
            await write(gateway, 200, at_a_time=10)
            options = ConnectOptions(address=rig.broker.address, client_id="store-gw")
            async with Connection(options):
                await write(gateway, 200, at_a_time=10)
            await eventually(lambda: gateway.uplink.connected)
        await in_step(gateway, consumer)
        assert witness.whole
        assert gateway.uplink.session > 2


# -- the first connection of a life ----------------------------------------------------------------------------


async def test_a_rollback_is_seen_although_the_first_connections_break_off(rig: Rig, tmp_path: Path) -> None:
    """Half of the own retained tree proves nothing: only a connection that got all of it decides."""
    async with chaos_proxy(rig.broker.port) as proxy, rig.consumer() as consumer:
        text = through(proxy, rig)
        async with rig.gateway(text) as gateway:
            epoch = gateway.ledger.position.epoch
            await write(gateway, 5)
        backup = (tmp_path / "ledger.db").read_bytes()
        async with rig.gateway(text) as gateway:
            await write(gateway, 5)
            await in_step(gateway, consumer)
        (tmp_path / "ledger.db").write_bytes(backup)
        # The CONNACK and the SUBACK pass, of what is retained only a part.
        proxy.down = Lane(tear_each_after=40)
        async with rig.gateway(text, online=False) as gateway:
            for cut in (40, 60, 200):
                proxy.down = Lane(tear_each_after=cut)
                seen = proxy.connections
                await eventually(lambda seen=seen: proxy.connections > seen + 1)
                assert gateway.ledger.position.epoch == epoch
                assert not gateway.uplink.connected
            proxy.calm()
            await eventually(lambda: gateway.uplink.connected)
            assert gateway.ledger.position.epoch != epoch
            await write(gateway, 2)
            await in_step(gateway, consumer)


async def test_retained_topics_that_come_late_are_waited_for(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig.gateway() as gateway:
        epoch = gateway.ledger.position.epoch
        await write(gateway, 5)
    backup = (tmp_path / "ledger.db").read_bytes()
    async with rig.gateway() as gateway:
        await write(gateway, 5)
        await eventually(lambda: gateway.backlog == 0)
    (tmp_path / "ledger.db").write_bytes(backup)
    monkeypatch.setattr(uplink, "RETAINED_SILENCE_S", 2.0)
    async with chaos_proxy(rig.broker.port) as proxy:
        # A satellite and a bad day: each packet of the broker a while after the last.
        proxy.down = Lane(delay_s=0.6)
        async with rig.gateway(through(proxy, rig)) as gateway:
            assert gateway.ledger.position.epoch != epoch
