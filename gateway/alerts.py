"""What a person should know: raised once, cleared once, the same to MQTT, the log and the status page."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway import payloads

log = logging.getLogger(__name__)


class AlertKind(StrEnum):
    """The kinds that the contract names."""

    READER_DOWN = "reader_down"
    ANTENNA_DOWN = "antenna_down"
    ZONE_STALE = "zone_stale"
    FRAME_ERRORS = "frame_errors"
    CLOCK_JUMP = "clock_jump"
    READS_DROPPED = "reads_dropped"
    LEDGER_NEAR_LIMIT = "ledger_near_limit"
    LEDGER_TRIMMED = "ledger_trimmed"
    EPOCH_CHANGED = "epoch_changed"
    PUBLISH_REFUSED = "publish_refused"
    CONFIG_REJECTED = "config_rejected"
    SENSORS_DISAGREE = "sensors_disagree"
    ITEM_MISSING_LONG = "item_missing_long"
    READER_NOTICE = "reader_notice"


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


SEVERITIES = {
    AlertKind.READER_DOWN: Severity.WARNING,
    AlertKind.ANTENNA_DOWN: Severity.WARNING,
    AlertKind.ZONE_STALE: Severity.CRITICAL,
    AlertKind.FRAME_ERRORS: Severity.WARNING,
    AlertKind.CLOCK_JUMP: Severity.INFO,
    AlertKind.READS_DROPPED: Severity.WARNING,
    AlertKind.LEDGER_NEAR_LIMIT: Severity.WARNING,
    AlertKind.LEDGER_TRIMMED: Severity.CRITICAL,
    AlertKind.EPOCH_CHANGED: Severity.WARNING,
    AlertKind.PUBLISH_REFUSED: Severity.CRITICAL,
    AlertKind.CONFIG_REJECTED: Severity.WARNING,
    AlertKind.SENSORS_DISAGREE: Severity.WARNING,
    AlertKind.ITEM_MISSING_LONG: Severity.INFO,
    AlertKind.READER_NOTICE: Severity.INFO,
}

# Alerts that stand at a time; beyond it (every item of a shop missing) only the log tells of more.
MAX_STANDING_ALERTS = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that has been raised and not cleared."""

    kind: AlertKind
    subject: str
    text: str
    hint: str
    raised_utc_us: int


class AlertBoard:
    """The alerts that stand. `publish` gets every raising and clearing; it must not block."""

    def __init__(self, utc_us: Callable[[], int], publish: Callable[[payloads.Alert], None]) -> None:
        self._utc_us = utc_us
        self._publish = publish
        self._standing: dict[tuple[AlertKind, str], Standing] = {}
        self._silent: set[AlertKind] = set()
        self.raised: dict[AlertKind, int] = dict.fromkeys(AlertKind, 0)

    def __iter__(self) -> Iterator[Standing]:
        return iter(self._standing.values())

    def raise_(self, kind: AlertKind, subject: str, text: str, hint: str) -> None:
        """`subject` (a reader, a zone, ...) has this trouble. While it stands, raising it again says nothing."""
        key = kind, subject
        if key in self._standing:
            return
        if len(self._standing) >= MAX_STANDING_ALERTS:
            self._keep_to_itself(kind, subject, text)
            return
        self.raised[kind] += 1
        log.warning("%s %s: %s (%s)", kind.value, subject, text, hint)
        standing = self._standing[key] = Standing(kind, subject, text, hint, self._utc_us())
        self._publish(self.payload(standing))

    def _keep_to_itself(self, kind: AlertKind, subject: str, text: str) -> None:
        """The board is full and does not remember this one, which may be raised at every tick: said once a kind."""
        if kind not in self._silent:
            self._silent.add(kind)
            log.warning(
                "%s %s: %s (and others: %s alerts stand already)", kind.value, subject, text, MAX_STANDING_ALERTS
            )

    def clear(self, kind: AlertKind, subject: str) -> None:
        """The trouble is over; nothing happens where there was none."""
        standing = self._standing.pop((kind, subject), None)
        if standing is not None:
            self._silent.clear()
            log.info("%s %s: cleared", kind.value, subject)
            self._publish(self.payload(standing, cleared=True))

    def once(self, kind: AlertKind, subject: str, text: str, hint: str) -> None:
        """Something that happened and does not last: raised and cleared at once."""
        self.raise_(kind, subject, text, hint)
        self.clear(kind, subject)

    def payload(self, standing: Standing, *, cleared: bool = False) -> payloads.Alert:
        """The alert as the contract wants it; raising and clearing share an id."""
        return payloads.Alert(
            id=f"{standing.kind.value}:{standing.subject}:{standing.raised_utc_us}",
            kind=standing.kind.value,
            severity=SEVERITIES[standing.kind].value,
            status="cleared" if cleared else "raised",
            at=payloads.rfc3339(self._utc_us() if cleared else standing.raised_utc_us),
            subject=standing.subject,
            text=standing.text,
            hint=standing.hint,
        )
