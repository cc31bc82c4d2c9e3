"""What the commits that share a transaction come to: their numbered deltas, and the last word on every row. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.domain.delta import Change, Step, StockKey
from gateway.domain.records import BinRecord, ItemRecord, PlaceRecord, PoolRecord, ShopRecord, ZoneRecord
from gateway.domain.tags import TagKey
from gateway.domain.zones import Antenna
from gateway.ledger_rows import encode_delta


@dataclass(frozen=True, slots=True)
class Position:
    """Where a ledger stands: deltas `trimmed` + 1 .. `seq` are in it, those up to `acknowledged` were delivered."""

    epoch: str
    boot: int
    seq: int
    acknowledged: int
    trimmed: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What one moment changed; goes to disk wholly or not at all. `steps` get consecutive numbers.

    `learnt_zones` have settled their first count; of `dropped_zones` nothing is kept that they have learnt.
    """

    at_utc_us: int = 0
    steps: Sequence[Step] = ()
    items: Sequence[ItemRecord] = ()
    forgotten: Sequence[TagKey] = ()
    learnt_zones: Sequence[str] = ()
    acknowledged: int = 0
    bins: Sequence[BinRecord] = ()
    dropped_bins: Sequence[Antenna] = ()
    pools: Sequence[PoolRecord] = ()
    zones: Sequence[ZoneRecord] = ()
    shop: ShopRecord | None = None
    dropped_zones: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Numbered:
    """A delta that is on disk, as it is published."""

    seq: int
    payload: bytes


class Group:
    """Commits in their order, beginning at `position`, which moves with them. A row that is None is to go.

    `dropped_zones` are forgotten before anything of `learnt_zones`, `pools` and `zones` is written.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self.numbered: list[list[Numbered]] = []
        """The deltas of each commit."""
        self.deltas: list[tuple[int, int, bytes]] = []
        self.stock: dict[StockKey, Change] = {}
        self.items: dict[TagKey, ItemRecord | None] = {}
        self.places: dict[TagKey, PlaceRecord | None] = {}
        self.bins: dict[Antenna, BinRecord | None] = {}
        self.pools: dict[tuple[str, bool, float], PoolRecord] = {}
        self.zones: dict[str, ZoneRecord] = {}
        self.shop: ShopRecord | None = None
        self.learnt_zones: set[str] = set()
        self.dropped_zones: set[str] = set()

    def add(self, commit: Commit) -> None:
        """One more, whose word on a row is the later one."""
        self.numbered.append([self._number(step, commit.at_utc_us) for step in commit.steps])
        self.items.update({record.key: record for record in commit.items})
        self.items.update(dict.fromkeys(commit.forgotten))
        self.places.update({record.key: record.place for record in commit.items if record.place is not None})
        self.places.update(dict.fromkeys(commit.forgotten))
        self.bins.update({(record.reader, record.channel): record for record in commit.bins})
        self.bins.update(dict.fromkeys(commit.dropped_bins))
        self.dropped_zones.update(commit.dropped_zones)
        self.pools = {key: record for key, record in self.pools.items() if record.zone not in commit.dropped_zones}
        self.pools.update({(record.zone, record.carried, record.pace_s): record for record in commit.pools})
        self.zones = {zone: record for zone, record in self.zones.items() if zone not in commit.dropped_zones}
        self.zones.update({record.zone: record for record in commit.zones})
        self.shop = commit.shop or self.shop
        self.learnt_zones.difference_update(commit.dropped_zones)
        self.learnt_zones.update(commit.learnt_zones)
        acknowledged = max(self.position.acknowledged, commit.acknowledged)
        self.position = replace(self.position, acknowledged=acknowledged)

    def _number(self, step: Step, at_utc_us: int) -> Numbered:
        position = self.position = replace(self.position, seq=self.position.seq + 1)
        payload = encode_delta(step, position.epoch, position.seq, at_utc_us)
        self.deltas.append((position.seq, at_utc_us, payload))
        self.stock.update({(change.gtin, change.zone): change for change in step.changes})
        return Numbered(position.seq, payload)
