"""What is looked after now and then: the ledger's size, stale zones, readers' rates, the queue."""

import asyncio
import logging
import sqlite3

from gateway.alerts import AlertKind
from gateway.domain.params import GAUGES, Sensor
from gateway.domain.zones import US_PER_S, Antenna, antenna_works
from gateway.ledger import TRIM_AT_SHARE, Trimmed
from gateway.parts import Parts

log = logging.getLogger(__name__)

# The ledger is trimmed and readers' rates are told this often.
TRIM_EVERY_S = 60.0
MEASURE_EVERY_S = 1.0
# A zone may be without its readers for this long (a start, a reconnect) before it is an alert.
STALE_ALERT_S = 15


class Housekeeping:
    """Runs beside the line, on the parts of one gateway."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._trimmed_s = 0.0
        self._dropped_reads = 0
        self._mute_gauges: set[Antenna] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._parts.fleet.measure()
            self._watch_zones()
            self._watch_shelves()
            self._watch_queue()
            now_s = self._parts.clock.monotonic_us() / US_PER_S
            if self._parts.line.refused_by_disk or now_s - self._trimmed_s > TRIM_EVERY_S:
                self._trimmed_s = now_s
                await self.trim()
            await asyncio.sleep(MEASURE_EVERY_S)

    async def trim(self) -> None:
        """Drop what the ledger need not keep, and say what it had to drop."""
        parts = self._parts
        try:
            done = await parts.ledger.trim(parts.clock.utc_us(), parts.config.ledger.retain_days)
        except sqlite3.Error as error:
            # The line says what is wrong with the disk, and goes on as soon as it can.
            log.warning("ledger: not trimmed: %s", error)
            return
        before = parts.trimmed
        parts.trimmed = Trimmed(before.acknowledged + done.acknowledged, before.unsent + done.unsent, done.used_share)
        parts.sender.trimmed()
        if done.used_share >= TRIM_AT_SHARE:
            text = f"the ledger uses {done.used_share:.0%} of ledger.max_bytes although all deltas were dropped"
            hint = "raise ledger.max_bytes: items and stock are never dropped"
            parts.alerts.raise_(AlertKind.LEDGER_NEAR_LIMIT, "size", text, hint)
        else:
            parts.alerts.clear(AlertKind.LEDGER_NEAR_LIMIT, "size")
        if done.unsent:
            text = f"{done.unsent} deltas were dropped before the broker could take them: the ledger was full"
            hint = "bring the broker back or raise ledger.max_bytes; consumers take the snapshot by themselves"
            parts.alerts.once(AlertKind.LEDGER_TRIMMED, "ledger", text, hint)

    def _watch_queue(self) -> None:
        dropped = sum(self._parts.intake.dropped.values())
        if dropped > self._dropped_reads:
            text = f"{dropped - self._dropped_reads} reads were dropped: more came than this box can take"
            hint = "fewer reads (session, report_every_tags), fewer readers, or a faster box; counts go on"
            self._parts.alerts.raise_(AlertKind.READS_DROPPED, "queue", text, hint)
            self._dropped_reads = dropped
        else:
            self._parts.alerts.clear(AlertKind.READS_DROPPED, "queue")

    def _watch_shelves(self) -> None:
        """A bin that answers and cannot be counted; of one that does not answer its reader tells."""
        parts = self._parts
        now_us = parts.clock.monotonic_us()
        for gone in self._mute_gauges - parts.shelves.bins.keys():
            parts.alerts.clear(AlertKind.ANTENNA_DOWN, f"{gone[0]}:{gone[1]}")
        self._mute_gauges &= parts.shelves.bins.keys()
        for antenna, each in parts.shelves.bins.items():
            member = parts.fleet.members.get(antenna[0])
            # A gauge is no antenna of its zone, so nobody else tells that it says nothing.
            is_gauge = each.params.sensor in GAUGES
            known = {} if is_gauge or member is None else member.state.antennas
            if member is None or not antenna_works(member.state.condition, known, antenna[1]):
                continue
            subject = f"{antenna[0]}:{antenna[1]}"
            reason = parts.shelves.blind.get(antenna)
            if reason is None:
                parts.alerts.clear(AlertKind.ANTENNA_DOWN, subject)
            elif now_us - parts.shelves.blind_since_us[antenna] > STALE_ALERT_S * US_PER_S:
                text = f"this shelf cannot be counted: {reason}"
                hint = "look at the shelf and its sensor; its count is marked until it can be relied upon"
                if is_gauge:
                    self._mute_gauges.add(antenna)
                    text, hint = f"this sensor cannot be read: {reason}", "look at it and its cable; counts go on"
                elif each.params.sensor is Sensor.WEIGHT:
                    pieces = "PIECES" if len(each.params.skus) == 1 else "GTIN=PIECES ..."
                    hint += f". If you have counted it: tallygate shelf recount {subject} {pieces}"
                parts.alerts.raise_(AlertKind.ANTENNA_DOWN, subject, text, hint)

    def _watch_zones(self) -> None:
        """A zone that stays stale is worth an alert; a reader that connects again at once is not."""
        now_us = self._parts.clock.monotonic_us()
        for zone in self._parts.inventory.zones.values():
            if not zone.stale:
                self._parts.alerts.clear(AlertKind.ZONE_STALE, zone.id)
            elif now_us - zone.since_us > STALE_ALERT_S * US_PER_S:
                hint = "look at its readers; its counts stand still and are marked until one is back"
                self._parts.alerts.raise_(AlertKind.ZONE_STALE, zone.id, zone.describe(), hint)
