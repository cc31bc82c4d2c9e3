"""Wireshark's dissector as the judge of a whole session of our driver with the simulated reader."""

from pathlib import Path

import pytest

from readers.llrp.settings import AirSettings
from readers.model import ReaderCondition
from simulators.llrp.names import MessageType
from simulators.llrp.personality import Personality, ReaderClock
from tests.interop.driving import driven
from tests.interop.stage import ALL_TAGS, staged
from tests.readers.running import eventually
from tests.simulators.judge import TSHARK, tshark

pytestmark = pytest.mark.skipif(not TSHARK, reason="tshark is not installed (Debian package tshark)")

PERSONALITIES = {
    "usual": Personality(dwell_us=10_000),
    "uptime": Personality(dwell_us=10_000, clock=ReaderClock(uptime=True)),
    "leftovers": Personality(dwell_us=10_000, leftover_rospecs=(7,), omits_unchanged=True),
}


@pytest.mark.parametrize("personality", PERSONALITIES.values(), ids=PERSONALITIES)
async def test_nothing_of_a_session_is_malformed(tmp_path: Path, personality: Personality) -> None:
    air = AirSettings(power_dbm=27.0, session=1, mode=1002, population=64)
    async with staged(personality) as stage:
        async with driven(stage.port, air=air, per_antenna={2: AirSettings(power_dbm=20)}) as sink:
            await sink.until(lambda: {epc.hex() for epc, _ in sink.seen()} == ALL_TAGS)
            stage.server.set_antenna(2, connected=False)
            stage.server.set_antenna(2, connected=True)
            await eventually(lambda: MessageType.KEEPALIVE_ACK in stage.kinds())
        assert sink.conditions[-1] is ReaderCondition.STOPPED
        assert stage.malformed(tmp_path) == []
        assert stage.refusals() == []
        judged = tshark(tmp_path / "session.pcap", "-Y", "llrp", "-T", "fields", "-e", "llrp.type")
        seen = {int(kind) for line in judged for kind in line.split(",")}
        # The judge saw all that was said, both ways.
        said = [*stage.sent(by_reader=True), *stage.sent(by_reader=False)]
        assert seen == {int(message.type) for message in said}
        assert {20, 24, 61, 62, 63, 72, 14, 4} <= seen
