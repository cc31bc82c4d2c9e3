"""What the ledger keeps, as rows of its tables and back."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from gateway import payloads
from gateway.domain.delta import Step
from gateway.domain.presence import Presence
from gateway.domain.records import (
    BinRecord,
    HeardRecord,
    ItemRecord,
    PlaceRecord,
    PoolRecord,
    ProductRecord,
    ShopRecord,
    Story,
    TailRecord,
    ZoneRecord,
)
from gateway.domain.tags import TagKey, key_bits, key_epc, tag_key

if TYPE_CHECKING:
    from gateway.domain.zones import Antenna

Row = Sequence[Any]

# `astuple` would copy what is in them, at three times the cost.
_of_heard = attrgetter(*(field.name for field in fields(HeardRecord)))


def encode_delta(step: Step, epoch: str, seq: int, at_utc_us: int) -> bytes:
    """A step with its number, as it goes to the broker."""
    changes = tuple(
        payloads.Change(
            gtin=change.gtin,
            zone=change.zone,
            disposition=change.disposition,
            quantity=change.quantity,
            confirmed=change.confirmed,
            change=change.change,
            stale=True if change.stale else None,
        )
        for change in step.changes
    )
    causes = {cause.value: count for cause, count in step.causes.items()}
    at = payloads.rfc3339(at_utc_us)
    return payloads.Delta(epoch=epoch, seq=seq, at=at, changes=changes, causes=causes).encode()


def item_record(row: Row) -> ItemRecord:
    """A row of the table `items`, with or without that of `places` beside it; one of a file that was not migrated yet
    lacks the last columns.
    """
    epc, bits, gtin, serial, presence, *rest = row
    numbers, flags, exited, place = rest[:7], rest[7:9], rest[9:10], rest[10:]
    record = ItemRecord(tag_key(bytes(epc), bits), gtin, serial, Presence(presence), *numbers, *map(bool, flags))
    if exited and exited[0] is not None:
        record = replace(record, exited=exited[0])
    return replace(record, place=_place(place[0])) if place and place[0] is not None else record


def _place(text: str) -> PlaceRecord:
    own, since_utc_us, followed_from, as_before, heard, told = json.loads(text)
    heard = tuple(HeardRecord(*each) for each in heard)
    return PlaceRecord(own, since_utc_us, followed_from, as_before, heard, told=told)


def place_row(key: TagKey, place: PlaceRecord) -> tuple[object, ...]:
    """A row of the table `places`; numbers to six digits, which is much more than was heard."""
    heard = [
        [float(f"{value:.6g}") if isinstance(value, float) else value for value in _of_heard(each)]
        for each in place.heard
    ]
    text = json.dumps(
        [place.own, place.since_utc_us, place.followed_from, place.as_before, heard, place.told], separators=(",", ":")
    )
    return key_epc(key), key_bits(key), text


def item_row(record: ItemRecord) -> tuple[object, ...]:
    """A row of the table `items`."""
    return (
        key_epc(record.key),
        key_bits(record.key),
        record.gtin,
        record.serial,
        record.presence.value,
        record.zone,
        record.changed_utc_us,
        record.seen_utc_us,
        record.read_chance,
        record.learnt_s,
        record.silence_s,
        record.longest_s,
        record.carried,
        record.unproven,
        record.exited,
    )


def bin_records(bins: Iterable[Row], products: Iterable[Row]) -> list[BinRecord]:
    """The rows of the tables `bins` and `bin_products`."""
    lying: dict[Antenna, list[ProductRecord]] = {}
    for reader, channel, *product in products:
        lying.setdefault((reader, channel), []).append(ProductRecord(*product))
    found = []
    for reader, channel, zone, zero_g, begun_g, level_g, pending_g, doubtful, told, fills in bins:
        weights = zero_g, begun_g, level_g, pending_g
        there = tuple(lying.get((reader, channel), ()))
        stories = tuple(
            Story(tuple(pieces[product.gtin] for product in there), *rest) for pieces, *rest in json.loads(told)
        )
        found.append(BinRecord(reader, channel, zone, *weights, there, bool(doubtful), stories, fills))
    return found


def bin_row(record: BinRecord) -> tuple[object, ...]:
    """A row of the table `bins`."""
    return (
        record.reader,
        record.channel,
        record.zone,
        record.zero_g,
        record.configured_zero_g,
        record.level_g,
        record.pending_g,
        record.doubtful,
        json.dumps(
            [[dict(zip(record.gtins, each.pieces, strict=True)), each.foreign_g, each.score] for each in record.stories]
        ),
        record.fills,
    )


def pool_records(pools: Iterable[Row], tails: Iterable[Row]) -> list[PoolRecord]:
    """The rows of the tables `pools` and `pool_tails`."""
    beyond: dict[tuple[str, int, float], list[TailRecord]] = {}
    for zone, carried, pace_s, *tail in tails:
        beyond.setdefault((zone, carried, pace_s), []).append(TailRecord(*tail))
    return [
        PoolRecord(
            zone, pace_s, item_s, lost, leave_rate, tuple(beyond.get((zone, carried, pace_s), ())), bool(carried)
        )
        for zone, carried, pace_s, item_s, lost, leave_rate in pools
    ]


def pool_row(record: PoolRecord) -> tuple[object, ...]:
    """A row of the table `pools`."""
    return (record.zone, record.carried, record.pace_s, record.item_s, record.lost, record.leave_rate)


def zone_record(row: Row) -> ZoneRecord:
    """A row of the table `zones`."""
    zone, products, squares, moved, looked_s = row
    return ZoneRecord(zone, tuple(json.loads(products)), tuple(json.loads(squares)), moved, looked_s)


def zone_row(record: ZoneRecord) -> tuple[object, ...]:
    """A row of the table `zones`."""
    return (
        record.zone,
        json.dumps(record.products),
        json.dumps(record.squares),
        record.moved,
        record.looked_s,
    )


def shop_record(row: Row) -> ShopRecord:
    """The row of the table `shop`."""
    _, usual_db, age_s, hope, came, passed = row
    return ShopRecord(usual_db, age_s, hope, tuple(json.loads(came)), tuple(json.loads(passed)))


def shop_row(record: ShopRecord) -> tuple[object, ...]:
    """The row of the table `shop`."""
    return (1, record.usual_db, record.age_s, record.hope, json.dumps(record.came), json.dumps(record.passed))
