"""Items as they outlive the process: a record of each for the ledger, and back."""

from collections.abc import Mapping

from gateway.domain.items import Identity, Item, pace_s
from gateway.domain.presence import Presence
from gateway.domain.records import ItemRecord
from gateway.domain.zones import US_PER_S, LiveZone


def record_item(item: Item, shift_us: int, *, place: bool) -> ItemRecord:
    """An item as the ledger keeps it, with its `place` or without.

    UTC is `shift_us` more than the gateway's own clock.
    """
    return ItemRecord(
        key=item.keys[0],
        gtin=item.identity.gtin,
        serial=item.identity.serial,
        presence=item.presence,
        zone=item.zone.id if item.zone else None,
        changed_utc_us=item.changed_us + shift_us,
        seen_utc_us=item.seen_us + shift_us,
        read_chance=item.read_chance,
        learnt_s=item.learnt_s,
        silence_s=item.zone.clock_s - item.seen_clock_s if item.zone else 0.0,
        longest_s=item.longest_s,
        carried=item.carried,
        unproven=item.unproven,
        exited=item.exited.id if item.exited else None,
        place=item.location.record(shift_us) if place else None,
    )


def item_of(record: ItemRecord, zones: Mapping[str, LiveZone], shift_us: int, lived_us: int, now_us: int) -> Item:
    """The item of an earlier life, which ended at `lived_us`; it is in no zone yet, and what it has heard of zones that
    are none of `zones` is left out. The gateway's own clock is `shift_us` more than UTC.
    """
    seen_us = record.seen_utc_us + shift_us
    item = Item(Identity(record.gtin, record.serial), record.key, seen_us)
    item.changed_us = record.changed_utc_us + shift_us
    item.presence = record.presence
    item.read_chance, item.learnt_s = record.read_chance, record.learnt_s
    item.longest_s = record.longest_s
    item.saved_chance, item.saved_longest_s = record.read_chance, record.longest_s
    item.seen_clock_s = -record.silence_s
    item.carried, item.unproven = record.carried, record.unproven
    item.reads = int(record.unproven)
    item.exited = zones.get(record.exited) if record.exited is not None else None
    item.location.set_pace(pace_s(record.read_chance))
    if record.place is not None:
        written_us, aged_s = lived_us, 0.0
        if record.presence is Presence.DEPARTED:
            # Written when it left and never since; and wherever it is, time has not stood still there.
            written_us = min(now_us, item.changed_us)
            aged_s = (now_us - written_us) / US_PER_S
        item.location.restore(record.place, zones, shift_us, written_us, aged_s, now_us)
        if item.location.followed_from is not None and record.seen_utc_us > record.place.since_utc_us:
            # It has been read where it is, however short that now counts for.
            item.location.since_us = min(item.location.since_us, item.seen_us - 1)
    return item


def lived_utc_us(record: ItemRecord) -> int:
    """Until then at least the life went on that wrote this."""
    return record.seen_utc_us + int(record.silence_s * US_PER_S)
