"""All bins of a shop: samples go in, counts per (GTIN, zone) come out, and which channels cannot be relied upon."""

from collections.abc import Iterable, KeysView, Mapping

from gateway.domain.countable import MOST_PIECES
from gateway.domain.delta import StockKey
from gateway.domain.gauge import Gauge
from gateway.domain.inputs import InputBin
from gateway.domain.params import GAUGES, Bin, Precedence, Sensor
from gateway.domain.records import BinRecord
from gateway.domain.recount import Recount, RecountError
from gateway.domain.stock import Tally
from gateway.domain.weight import Blind, WeightBin
from gateway.domain.zones import Antenna
from readers.model import InputSample, WeightSample

AnyBin = WeightBin | InputBin | Gauge


class Shelves:
    """The bins by their (reader, channel). Time comes in as an argument."""

    def __init__(self) -> None:
        self.bins: dict[Antenna, AnyBin] = {}
        self.blind: dict[Antenna, str] = {}
        """Why a channel is not to be relied upon; one that is does not stand here."""
        self.blind_since_us: dict[Antenna, int] = {}
        self.unmapped_samples = 0
        self._dropped: list[Antenna] = []
        self._bin_of: dict[Antenna, AnyBin] = {}
        self._told: dict[StockKey, Tally] = {}
        self._recounted: set[StockKey] = set()

    def restore(self, bins: Iterable[Bin], records: Iterable[BinRecord]) -> dict[StockKey, Tally | None]:
        """Take up what the ledger holds, before the first sample; what every row was counted by then.

        A row that no bin counts any more is None.
        """
        known = {(record.reader, record.channel): record for record in records}
        keys = {(product.gtin, record.zone) for record in known.values() for product in record.products}
        self._make(bins, known)
        self._dropped = [antenna for antenna in known if antenna not in self.bins]
        now = self._tallies()
        # Those that are counted no more count as told: the first changes say so.
        self._told = {key: now.get(key, Tally()) for key in keys}
        return {key: now.get(key) for key in keys}

    def configure(self, bins: Iterable[Bin]) -> None:
        """Other bins from now on; those that stay as they are go on undisturbed."""
        old = self.bins
        records = {antenna: each.record() for antenna, each in old.items()}
        self._make(bins, records)
        self._dropped += [antenna for antenna in old if antenna not in self.bins]

    def _make(self, bins: Iterable[Bin], records: Mapping[Antenna, BinRecord]) -> None:
        old, self.bins, self._bin_of = self.bins, {}, {}
        for params in bins:
            antenna = params.reader, params.channel
            kept = old.get(antenna)
            if kept is None or kept.params != params:
                record = records.get(antenna)
                if record is not None and record.zone != params.zone:
                    record = None  # it stands elsewhere now: what lies on it is met anew
                kept = _bin(params, record)
            self.bins[antenna] = kept
            self._bin_of.update(dict.fromkeys(((params.reader, channel) for channel in params.channels), kept))
        self._dropped = [antenna for antenna in self._dropped if antenna not in self.bins]
        self.blind = {}
        self.blind_since_us = {
            antenna: since_us for antenna, since_us in self.blind_since_us.items() if antenna in self._bin_of
        }

    def by_tags(self, tagged_zones: Iterable[str]) -> frozenset[StockKey]:
        """The rows whose stock the tags count, of zones that antennas look into."""
        zones = frozenset(tagged_zones)
        return frozenset(
            (sku.gtin, each.params.zone)
            for each in self.bins.values()
            if each.params.params.precedence is Precedence.RFID and each.params.zone in zones
            for sku in each.params.skus
        )

    @property
    def channels(self) -> KeysView[Antenna]:
        """Every channel that belongs to a bin."""
        return self._bin_of.keys()

    def hear(self, sample: WeightSample | InputSample) -> None:
        """One value; of a channel that belongs to no bin it is counted and dropped."""
        each = self._bin_of.get((sample.reader, sample.channel))
        match each, sample:
            case WeightBin(), WeightSample():
                each.feed(sample)
            case InputBin() | Gauge(), InputSample():
                each.feed(sample)
            case _:
                self.unmapped_samples += 1

    def look(self, now_us: int) -> set[str]:
        """Which bins can be relied upon now; gives the readers of those of which that has changed."""
        before, self.blind = self.blind, {}
        open_zones = {each.params.zone for each in self.bins.values() if isinstance(each, Gauge) and each.is_open}
        for antenna, each in self._bin_of.items():
            reason = each.blind(now_us)
            if reason is Blind.RESTLESS and each.params.zone in open_zones:
                reason = Blind.DOOR
            if reason is not None:
                self.blind[antenna] = reason
                self.blind_since_us.setdefault(antenna, now_us)
            else:
                self.blind_since_us.pop(antenna, None)
        return {reader for reader, _ in before.keys() ^ self.blind.keys()}

    def changes(self) -> dict[StockKey, Tally | None]:
        """The counts that differ from what this gave before; None: no bin counts this row any more."""
        now = self._tallies()
        changed: dict[StockKey, Tally | None] = {
            key: tally for key, tally in now.items() if self._told.get(key) != tally
        }
        changed.update(dict.fromkeys(key for key in self._told if key not in now))
        self._told = now
        return changed

    def _tallies(self) -> dict[StockKey, Tally]:
        tallies: dict[StockKey, Tally] = {}
        for each in self.bins.values():
            for gtin, pieces, confirmed in each.counts():
                tally = tallies.setdefault((gtin, each.params.zone), Tally())
                tally.quantity += pieces
                tally.confirmed += confirmed
        return tallies

    def disagree_s(self) -> dict[StockKey, float]:
        """How long the tags may say another count of a row."""
        limits: dict[StockKey, float] = {}
        for each in self.bins.values():
            for sku in each.params.skus:
                key = sku.gtin, each.params.zone
                limits[key] = max(limits.get(key, 0.0), each.params.params.disagree_s)
        return limits

    def recount(self, antenna: Antenna, pieces: Mapping[str, int], now_us: int) -> Recount:
        """Somebody has counted a bin: `pieces` of each of its products. Raises RecountError; KeyError: no such bin."""
        each = self.bins[antenna]
        if not isinstance(each, WeightBin):
            raise RecountError("its inputs say what lies there", "mend an input that is wrong, or its configuration")
        before = {sku.gtin: None for sku in each.params.skus} | {gtin: count for gtin, count, _ in each.counts()}
        _refuse(each, pieces)
        moved_g = each.recount([pieces[sku.gtin] for sku in each.params.skus], now_us)
        self._recounted.update((gtin, each.params.zone) for gtin in pieces)
        return Recount(before, dict(pieces), moved_g)

    def take_recounted(self) -> set[StockKey]:
        """The rows that a person has counted since this was last asked."""
        recounted, self._recounted = self._recounted, set()
        return recounted

    def take_records(self) -> list[BinRecord]:
        """The bins that are to be written because they have changed."""
        changed = [each for each in self.bins.values() if each.changed]
        for each in changed:
            each.changed = False
        return [each.record() for each in changed]

    def take_dropped(self) -> list[Antenna]:
        """The bins that are configured no longer and are to be forgotten on disk."""
        dropped, self._dropped = self._dropped, []
        return dropped


def _bin(params: Bin, record: BinRecord | None) -> AnyBin:
    """A bin at run time; what is new of it is to be written."""
    if params.sensor in GAUGES:
        return Gauge(params)
    made = WeightBin(params, record) if params.sensor is Sensor.WEIGHT else InputBin(params, record)
    made.changed = True
    return made


def _refuse(each: WeightBin, pieces: Mapping[str, int]) -> None:
    """Raises RecountError where these are not counts of all its products, as many as it holds."""
    gtins = [sku.gtin for sku in each.params.skus]
    strange = [gtin for gtin in pieces if gtin not in gtins]
    if strange:
        raise RecountError(f"no GTIN {strange[0]} lies there", f"it is configured for {', '.join(gtins)}")
    missing = [gtin for gtin in gtins if gtin not in pieces]
    if missing:
        raise RecountError(f"nothing is said of GTIN {missing[0]}", "give the pieces of every product, 0 for none")
    for sku in each.params.skus:
        most = MOST_PIECES if sku.most is None else sku.most
        if not 0 <= pieces[sku.gtin] <= most:
            raise RecountError(f"{pieces[sku.gtin]} of GTIN {sku.gtin} cannot lie there", f"it holds {most} at most")
