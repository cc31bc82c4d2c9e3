"""The box's own clock jumps, under the real daemon: libfaketime sets it, the monotonic clock goes on as it does."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tests.broker import Broker
from tests.daemon import daemon
from tests.faults.shop import SEED, Recovery, Witness, missing, shuffle, table_row, times
from tests.rig import LIMIT_S, Rig, hurry, theirs

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOUR_S = 3_600
DAY_S = 24 * HOUR_S


def until(moment: str) -> int:
    """Seconds from now to a moment of UTC."""
    return round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() - time.time())


ZONE = "Europe/Berlin"
# Of summer time an hour that is left out, or comes twice, begins a second later.
JUMPS = {
    "the hour that comes twice": until("2027-10-31 00:59:59"),
    "the hour that is left out": until("2027-03-28 00:59:59"),
    "the battery is empty": until("2001-01-01 00:00:00"),
    "an hour ahead": HOUR_S,
    "an hour back": -HOUR_S,
    "a wrong year": 9 * 365 * DAY_S,
    "an NTP server is back": -2,
    "right again": 0,
}
FEW = 2


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (Debian: apt-get install libfaketime)")
async def test_the_clock_jumps_and_the_count_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    rng, witness, recovery = Random(SEED), Witness(), Recovery()
    jumps = list(JUMPS.items())[: times("CLOCK_JUMPS", FEW)]
    faked = tmp_path / "clock"
    faked.write_text("+0")
    environ = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(faked),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": ZONE,
    }
    async with (
        Broker(tmp_path / "broker") as broker,
        Rig(tmp_path, broker, items=60) as rig,
        rig.consumer(on_change=witness) as consumer,
        rig.listener() as heard,
        daemon(tmp_path, rig.text(), environ) as one,
    ):

        async def agreed() -> None:
            async with asyncio.timeout(LIMIT_S):
                await consumer.wait_until(lambda one: theirs(one) == rig.truth())

        await agreed()
        for name, jump_s in jumps:
            deltas = len(heard.said(heard.topics.delta))
            recovery.start()
            faked.write_text(f"{jump_s:+d}")
            # Nothing moves or leaves because of it, in some judgements.
            await asyncio.sleep(1.0)
            assert theirs(consumer) == rig.truth(), name
            shuffle(rig, rng)
            await agreed()
            recovery.stop()
            said = heard.said(heard.topics.delta)[deltas:]
            at = datetime.fromisoformat(json.loads(said[-1].payload)["at"]).timestamp()
            assert at == pytest.approx(time.time() + jump_s, abs=LIMIT_S), f"{name}: the daemon's clock has not jumped"
        lost = missing(heard, heard.seqs()[-1])
        print(table_row("clock jumps", len(jumps), [consumer], witness, len(lost), recovery.longest_s))
        assert lost == []
        assert witness.whole
        assert not {"stock_differs", "epoch_changed"} & set(consumer.counters.findings)
        assert await one.stop() == 0
        assert "Traceback" not in one.log
