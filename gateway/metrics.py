"""What Prometheus sees. Nothing is counted here: at each scrape the parts are asked for what they have counted."""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.domain.gauge import Gauge
from gateway.domain.weight import WeightBin
from gateway.domain.zones import ZoneState
from gateway.parts import Parts


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    """A family with one label; `values` by its value."""
    family = CounterMetricFamily(f"tallygate_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"tallygate_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


class GatewayCollector(Collector):
    """All series of one gateway. Labels are bounded: readers, zones, reasons; never an EPC or a GTIN."""

    def __init__(self, gateway: Parts) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        """Every family, as of now."""
        yield from self._readers()
        yield from self._line()
        yield from self._shelves()
        yield from self._ledger()
        yield from self._uplink()

    def _readers(self) -> Iterator[Metric]:
        members = self._gateway.fleet.members
        dropped = self._gateway.intake.dropped
        reads = {reader: member.reads for reader, member in members.items()}
        yield _counter("reader_reads", "Reads that a reader delivered.", "reader", reads)
        yield _counter(
            "reader_reads_dropped",
            "Reads dropped at the full queue.",
            "reader",
            {reader: dropped.get(reader, 0) for reader in members},
        )
        up = {reader: float(member.state.condition.value == "reading") for reader, member in members.items()}
        yield _gauge("reader_up", "1 while a reader is reading.", "reader", up)
        offsets = {
            reader: member.state.clock_offset_ms / 1000
            for reader, member in members.items()
            if member.state.clock_offset_ms is not None
        }
        yield _gauge("reader_clock_offset_seconds", "A reader's clock against ours.", "reader", offsets)
        warm = {
            reader: member.state.temperature_c
            for reader, member in members.items()
            if member.state.temperature_c is not None
        }
        yield _gauge("reader_temperature_celsius", "How warm a reader is inside.", "reader", warm)
        inputs = GaugeMetricFamily(
            "tallygate_reader_input_state", "1 while an input of a reader is high.", labels=["reader", "input"]
        )
        for reader, member in members.items():
            for port, high in sorted(member.state.inputs.items()):
                inputs.add_metric([reader, str(port)], float(high))
        yield inputs
        notices = CounterMetricFamily(
            "tallygate_reader_notices", "What was odd and survivable.", labels=["reader", "reason"]
        )
        failures = CounterMetricFamily(
            "tallygate_reader_failures", "Connections that ended.", labels=["reader", "reason"]
        )
        for reader, member in members.items():
            for reason, count in member.notices.items():
                notices.add_metric([reader, reason], count)
            for reason, count in member.failures.items():
                failures.add_metric([reader, reason], count)
        yield notices
        yield failures

    def _line(self) -> Iterator[Metric]:
        gateway = self._gateway
        yield GaugeMetricFamily("tallygate_queue_reads", "Reads waiting.", gateway.intake.waiting_reads)
        yield CounterMetricFamily(
            "tallygate_unmapped_reads", "Reads of antennas without a zone.", gateway.inventory.unmapped_reads
        )
        yield _counter("tags_ignored", "New tags that are no stock.", "reason", gateway.ignored_tags)
        yield _counter("item_transitions", "Changes of items.", "cause", gateway.line.transitions)
        yield GaugeMetricFamily("tallygate_items", "Items known, departed ones included.", len(gateway.inventory))
        yield GaugeMetricFamily(
            "tallygate_missing_items", "Items that count but were not read lately.", len(gateway.inventory.missing)
        )
        quantity, confirmed = dict.fromkeys(gateway.inventory.zones, 0), dict.fromkeys(gateway.inventory.zones, 0)
        for row in gateway.stock:
            quantity[row.zone] = quantity.get(row.zone, 0) + row.quantity
            confirmed[row.zone] = confirmed.get(row.zone, 0) + row.confirmed
        yield _gauge("stock_items", "Stock.", "zone", quantity)
        yield _gauge("stock_confirmed_items", "Stock that was read lately.", "zone", confirmed)
        health = GaugeMetricFamily("tallygate_zone_health", "1 for the state that holds.", labels=["zone", "state"])
        for zone in gateway.inventory.zones.values():
            for state in ZoneState:
                health.add_metric([zone.id, state.value], float(zone.state is state))
        yield health
        yield GaugeMetricFamily("tallygate_loop_lag_seconds", "The event loop's lag.", gateway.health.lag_s)
        raised = {kind.value: float(count) for kind, count in gateway.alerts.raised.items()}
        yield _counter("alerts", "Alerts raised.", "kind", raised)

    def _shelves(self) -> Iterator[Metric]:
        shelves, labels = self._gateway.shelves, ["reader", "antenna"]
        weight = GaugeMetricFamily("tallygate_shelf_weight_grams", "What lies on a scale, settled.", labels=labels)
        pieces = GaugeMetricFamily("tallygate_shelf_pieces", "Pieces that a bin counts.", labels=labels)
        trusted = GaugeMetricFamily(
            "tallygate_shelf_trusted", "1 while a bin's count can be relied upon.", labels=labels
        )
        celsius = GaugeMetricFamily("tallygate_shelf_celsius", "The temperature at a shelf.", labels=labels)
        is_open = GaugeMetricFamily("tallygate_shelf_door_open", "1 while a door stands open.", labels=labels)
        steps: Counter[str] = Counter()
        for (reader, channel), each in shelves.bins.items():
            place = [reader, str(channel)]
            if isinstance(each, Gauge):
                if each.value is not None:
                    told, value = (celsius, each.value) if each.is_open is None else (is_open, float(each.is_open))
                    told.add_metric(place, value)
                continue
            pieces.add_metric(place, sum(count for _, count, _ in each.counts()))
            trusted.add_metric(place, float((reader, channel) not in shelves.blind))
            if isinstance(each, WeightBin):
                if each.grams is not None:
                    weight.add_metric(place, each.grams)
                steps.update({verdict.value: count for verdict, count in each.counting.verdicts.items()})
                steps["reconciled"] += each.counting.reconciled
        yield from (weight, pieces, trusted, celsius, is_open)
        yield _counter("shelf_steps", "Changes of weight, by how well they were understood.", "reason", steps)
        yield CounterMetricFamily(
            "tallygate_unmapped_samples", "Values of channels without a product.", shelves.unmapped_samples
        )
        yield CounterMetricFamily(
            "tallygate_samples_dropped", "Values dropped at the full queue.", self._gateway.intake.dropped_samples
        )

    def _ledger(self) -> Iterator[Metric]:
        position = self._gateway.ledger.position
        yield GaugeMetricFamily("tallygate_ledger_seq", "Number of the newest delta of this epoch.", position.seq)
        yield CounterMetricFamily("tallygate_ledger_commits", "Transactions.", self._gateway.ledger.commits)
        yield GaugeMetricFamily("tallygate_ledger_used_ratio", "Share of its limit.", self._gateway.trimmed.used_share)
        yield _counter(
            "ledger_deltas_dropped",
            "Deltas dropped, by age or for room.",
            "reason",
            {"acknowledged": self._gateway.trimmed.acknowledged, "unsent": self._gateway.trimmed.unsent},
        )

    def _uplink(self) -> Iterator[Metric]:
        uplink, sender = self._gateway.uplink, self._gateway.sender
        yield GaugeMetricFamily("tallygate_uplink_up", "1 while the broker is connected.", float(uplink.connected))
        yield CounterMetricFamily("tallygate_uplink_sessions", "Connections tried.", uplink.session)
        yield CounterMetricFamily("tallygate_uplink_deltas", "Deltas handed to the broker.", sender.sent)
        yield GaugeMetricFamily("tallygate_uplink_backlog_deltas", "Deltas not acknowledged.", sender.window.backlog)
        yield GaugeMetricFamily("tallygate_uplink_inflight_deltas", "Deltas in flight.", sender.window.in_flight)
        yield CounterMetricFamily(
            "tallygate_uplink_refused", "Publishes refused by the broker.", uplink.refused + sender.refused
        )
        yield CounterMetricFamily("tallygate_commands_dropped", "Commands that came too fast.", uplink.desk.dropped)
        yield CounterMetricFamily("tallygate_alerts_dropped", "Alerts that no broker took.", uplink.alerts_dropped)
        if (events := self._gateway.item_events) is not None:
            yield CounterMetricFamily(
                "tallygate_item_events", "Events of items that the broker has taken.", events.taken
            )
            yield CounterMetricFamily(
                "tallygate_item_events_dropped", "... that it has not, or not in time.", events.dropped
            )
        answered = {verb: float(count) for verb, count in self._gateway.commands.answered.items()}
        yield _counter("commands", "Commands answered.", "verb", answered)


def registry_of(gateway: Parts) -> CollectorRegistry:
    """A registry with this gateway's series and the process's own."""
    registry = CollectorRegistry()
    registry.register(GatewayCollector(gateway))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The text that Prometheus scrapes."""
    return generate_latest(registry)
