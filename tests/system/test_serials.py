"""Serial numbers stay in the shop: nothing that is published, but for `items/event`, lets a single item be told."""

from pathlib import Path

import pytest

from gateway.domain import epc
from tests.broker import Broker
from tests.rig import Rig, eventually, hurry, ours


@pytest.mark.parametrize("epcis", ["", '[epcis]\nplaces = "https://shop.example/places/"\n'])
async def test_no_serial_number_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epcis: str) -> None:
    """A whole life (count, moves, departures, a status, a replay, a bad tag), and every byte of it looked at."""
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, items=40) as rig:
        stock = rig.shop.stock
        things = [thing for zone in ("floor", "backroom") for thing in stock.within(zone) if thing.gtin]
        async with rig.listener() as heard, rig.gateway(epcis + rig.text()) as gateway, rig.consumer() as consumer:
            await rig.counted(gateway, consumer)
            for thing in stock.pick("floor", 5):
                stock.move(thing, "backroom")
            await rig.counted(gateway, consumer)
            rig.servers["reader-front"].set_antenna(2, connected=False)
            rig.servers["reader-front"].complain(f"cannot write {things[0].epc.hex()}")
            position = gateway.ledger.position
            replay = f'{{"epoch":"{position.epoch}","from":1}}'.encode()
            await heard.say((rig.topics.command("status"), b"{}"), (rig.topics.command("replay"), replay))
            await eventually(lambda: bool(heard.said(rig.topics.reply("replay"))))
            assert ours(gateway) == rig.truth()
        said = [message for message in heard.messages if message.topic != rig.topics.item_events]
        assert bool(heard.said(rig.topics.item_events)) is bool(epcis)
        everything = b"\n".join(message.topic.encode() + b" " + message.payload for message in said).lower()
    assert len(said) > 20
    told = b"cannot write " + things[0].epc.hex().encode()
    # What a reader says in its own words is passed on as it is; nothing else holds an EPC.
    assert everything.count(things[0].epc.hex().encode()) == everything.count(told)
    for thing in things:
        decoded = epc.decode(thing.epc, 96)
        assert decoded.identity is not None
        serial = decoded.identity[1]
        assert len(serial) > 5, "one that could not be there by chance"
        assert serial.encode() not in everything
        if thing is not things[0]:
            assert thing.epc.hex().encode() not in everything
