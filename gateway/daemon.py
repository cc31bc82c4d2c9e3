"""Runs the parts of a gateway: started sink to source, stopped source to sink, reconfigured in between."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random

from config.effective import Config
from gateway.alerts import AlertKind
from gateway.broker import embedded_broker
from gateway.domain.items import Transition
from gateway.housekeeping import Housekeeping
from gateway.ledger import Ledger, open_ledger
from gateway.parts import SOFTWARE, Parts
from gateway.tasks import beside
from gateway.uplink import Identity as SaysOfItself
from gateway.web.server import serve_http
from readers.driver import Clock

log = logging.getLogger(__name__)

# A clean stop gives the broker this long to take what is waiting; the ledger keeps the rest.
DRAIN_LIMIT_S = 5.0
# ... and the disk that long; what it has not taken is derived anew from the next reads.
LAST_COMMIT_LIMIT_S = 5.0
# ... and what was learnt of a hundred thousand items takes longer than that.
SAVE_LIMIT_S = 15.0
# What of a configuration takes effect only at a start.
FIXED = ("site", "mqtt", "item_params", "epcis", "ledger", "http")


class Gateway(Parts):
    """One gateway, to be run."""

    def __init__(self, config: Config, ledger: Ledger, learnt: set[str], clock: Clock, rng: Random) -> None:
        super().__init__(config, ledger, learnt, clock, rng)
        self.housekeeping = Housekeeping(self)

    async def run(self, started: Callable[[], None], stop: asyncio.Event) -> None:
        """Run until `stop` is set. `started` is called when reads would count: the broker need not be there yet."""
        first = await self._take_up()
        for zone in self.inventory.zones.values():
            self.tell_zone(zone)
        async with (
            beside(self.ledger.run()),
            self._uplink_running(),
            serve_http(self, self.config.http.listen),
            beside(self.housekeeping.run(), self.health.run()),
            self._line_running(first),
            self.crew.running(self.config),
        ):
            self.health.ready = True
            started()
            await stop.wait()
            log.info("stopping")

    async def _take_up(self) -> list[Transition]:
        """The items and the stock of the life before; what a changed configuration makes of them."""
        with self.line.heap.filling():
            records = await self.ledger.items()
            pools, taught = await self.ledger.pools(), await self.ledger.zones()
            learnt = await self.ledger.learnt_zones()
            self.line.remembered = learnt.union((pool.zone for pool in pools), (zone.zone for zone in taught))
            shop = await self.ledger.shop()
            first = self.inventory.restore(records, self.clock.monotonic_us(), self.clock.utc_us(), pools, shop, taught)
            shelved = self.shelves.restore(self.config.bins, await self.ledger.bins())
            self.stock.restore((await self.ledger.stock()).rows, self.inventory, shelved, first)
        position = self.ledger.position
        if self.config.mqtt.protocol == "3.1.1":
            log.warning("MQTT 3.1.1: the broker cannot say that it refuses a delta, so one may be lost there")
        log.info("ledger: %s items, delta %s of epoch %s", len(records), position.seq, position.epoch)
        return first

    @asynccontextmanager
    async def _line_running(self, first: list[Transition]) -> AsyncIterator[None]:
        """At the end, the readers being silent, what they said last is counted, and what was learnt is written."""
        async with beside(self.line.run(first)):
            yield
        try:
            async with asyncio.timeout(LAST_COMMIT_LIMIT_S):
                await self.line.drain()
                await self.line.tick()
        except TimeoutError:
            log.warning("stopping although the disk has not taken the last changes: they are read again")
            return
        try:
            async with asyncio.timeout(SAVE_LIMIT_S):
                await self.line.save()
        except TimeoutError:
            log.warning("stopping although the disk has not taken all that was learnt: some of it is learnt again")

    @asynccontextmanager
    async def _uplink_running(self) -> AsyncIterator[None]:
        """At the end the broker gets a moment to take what is waiting."""
        async with beside(self.uplink.run(), self.sender.run()):
            yield
            # Whoever has just heard that this gateway is online waits for what it counts.
            if self.sender.flowing or self.uplink.greeting:
                try:
                    async with asyncio.timeout(DRAIN_LIMIT_S):
                        await self.sender.drained()
                        await self.snapshots.say_last()
                except TimeoutError:
                    log.warning("stopping with %s deltas in the ledger that the broker has not taken", self.backlog)
                except sqlite3.Error as error:
                    log.warning("stopping without a last snapshot: the ledger cannot be read: %s", error)
        await self.sender.save()

    async def reconfigure(self, config: Config) -> list[str]:
        """Take over another configuration; readers that it does not change go on undisturbed.

        Returns what it changes that takes effect only after a restart.
        """
        old = self.config
        later = [name for name in FIXED if getattr(old, name) != getattr(config, name)]
        self.config = config = replace(config, **{name: getattr(old, name) for name in FIXED})
        zones, zone_of = self.crew.plan(config, self.inventory.zones, set())
        gone = set(self.inventory.zones) - {zone.id for zone in zones}
        await self.line.configure(zones, zone_of, config.bins)
        for zone_id in gone:
            self.alerts.clear(AlertKind.ZONE_STALE, zone_id)
        self.uplink.clear_later(self.topics.zone_health(zone_id) for zone_id in gone)
        for reader in await self.crew.apply(old, config):
            self.retained.clear(self.topics.reader_state(reader))
        for zone in self.inventory.zones.values():
            self.tell_zone(zone)
        self.uplink.identify(SaysOfItself(SOFTWARE, config.fingerprint))
        return later


@asynccontextmanager
async def open_gateway(config: Config, clock: Clock, rng: Random) -> AsyncIterator[Gateway]:
    """A gateway with its ledger open, and the built-in broker running where the configuration wants it."""
    async with AsyncExitStack() as stack:
        if config.mqtt.is_embedded:
            name = await stack.enter_async_context(embedded_broker(config.mqtt.host, config.mqtt.port))
            log.info("built-in broker: %s on %s:%s", name, config.mqtt.host, config.mqtt.port)
        ledger = await stack.enter_async_context(
            open_ledger(
                config.ledger.path,
                config.site.id,
                config.site.gateway,
                max_bytes=config.ledger.max_bytes,
                utc_us=clock.utc_us(),
            )
        )
        yield Gateway(config, ledger, await ledger.learnt_zones(), clock, rng)
