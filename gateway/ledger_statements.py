"""What a group of commits writes, as SQL statements with their rows. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple

from gateway.domain.delta import Change, StockKey
from gateway.domain.records import BinRecord, ItemRecord, PlaceRecord, PoolRecord
from gateway.domain.tags import TagKey, key_bits, key_epc
from gateway.domain.zones import Antenna
from gateway.ledger_group import Group
from gateway.ledger_rows import Row, bin_row, item_row, place_row, pool_row, shop_row, zone_row

Statement = tuple[str, Sequence[Row]]
"""A statement, and the rows that it is executed with; without one it has nothing to do."""


def statements(group: Group) -> Iterator[Statement]:
    """All of them, in their order; one transaction holds them."""
    yield "INSERT INTO deltas VALUES (?, ?, ?)", group.deltas
    yield from _of_stock(group.stock)
    yield from _of_items(group.items)
    yield from _of_places(group.places)
    yield from _of_bins(group.bins)
    dropped = [(zone,) for zone in group.dropped_zones]
    yield "DELETE FROM learnt_zones WHERE zone = ?", dropped
    yield "DELETE FROM pools WHERE zone = ?", dropped
    yield "DELETE FROM pool_tails WHERE zone = ?", dropped
    yield "DELETE FROM zones WHERE zone = ?", dropped
    yield "INSERT OR IGNORE INTO learnt_zones VALUES (?)", [(zone,) for zone in group.learnt_zones]
    yield from _of_pools(list(group.pools.values()))
    yield "INSERT OR REPLACE INTO zones VALUES (?, ?, ?, ?, ?)", [zone_row(each) for each in group.zones.values()]
    yield "INSERT OR REPLACE INTO shop VALUES (?, ?, ?, ?, ?, ?)", [shop_row(group.shop)] if group.shop else []
    position = group.position
    yield "UPDATE ledger SET seq = ?, acknowledged = ?", [(position.seq, position.acknowledged)]


def _of_stock(stock: Mapping[StockKey, Change]) -> Iterator[Statement]:
    """The rows as the changes leave them; one of nothing is none."""
    left = [(c.gtin, c.zone, c.disposition, c.quantity, c.confirmed) for c in stock.values() if c.quantity]
    yield "INSERT OR REPLACE INTO stock VALUES (?, ?, ?, ?, ?)", left
    emptied = [key for key, change in stock.items() if not change.quantity]
    yield "DELETE FROM stock WHERE gtin = ? AND zone = ?", emptied


def _of_items(items: Mapping[TagKey, ItemRecord | None]) -> Iterator[Statement]:
    known = [item_row(record) for record in items.values() if record]
    yield "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", known
    forgotten = [(key_epc(key), key_bits(key)) for key, record in items.items() if not record]
    yield "DELETE FROM items WHERE epc = ? AND bits = ?", forgotten


def _of_places(places: Mapping[TagKey, PlaceRecord | None]) -> Iterator[Statement]:
    known = [place_row(key, place) for key, place in places.items() if place]
    yield "INSERT OR REPLACE INTO places VALUES (?, ?, ?)", known
    forgotten = [(key_epc(key), key_bits(key)) for key, place in places.items() if not place]
    yield "DELETE FROM places WHERE epc = ? AND bits = ?", forgotten


def _of_bins(bins: Mapping[Antenna, BinRecord | None]) -> Iterator[Statement]:
    """A bin is written anew as a whole."""
    known = [record for record in bins.values() if record]
    yield "DELETE FROM bin_products WHERE reader = ? AND channel = ?", list(bins)
    yield (
        "DELETE FROM bins WHERE reader = ? AND channel = ?",
        [key for key, record in bins.items() if not record],
    )
    yield "INSERT OR REPLACE INTO bins VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [bin_row(each) for each in known]
    products = [(each.reader, each.channel, *astuple(product)) for each in known for product in each.products]
    yield "INSERT INTO bin_products VALUES (?, ?, ?, ?, ?, ?, ?)", products


def _of_pools(pools: Sequence[PoolRecord]) -> Iterator[Statement]:
    """A pool is written anew as a whole."""
    yield (
        "DELETE FROM pool_tails WHERE zone = ? AND carried = ? AND pace_s = ?",
        [(each.zone, each.carried, each.pace_s) for each in pools],
    )
    yield "INSERT OR REPLACE INTO pools VALUES (?, ?, ?, ?, ?, ?)", [pool_row(each) for each in pools]
    tails = [(each.zone, each.carried, each.pace_s, *astuple(tail)) for each in pools for tail in each.tail]
    yield "INSERT INTO pool_tails VALUES (?, ?, ?, ?, ?, ?)", tails
