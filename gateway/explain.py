"""What is known of one item, for a person: where it counts, on what grounds, and how it came there."""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NamedTuple

from gateway.domain.explain import explain
from gateway.domain.inventory import Inventory
from gateway.domain.items import Identity, Transition
from gateway.domain.records import ItemRecord
from gateway.domain.tags import key_epc
from gateway.domain.zones import US_PER_S
from gateway.payloads import rfc3339

# Transitions that are remembered, of all items together: some 5 MB, an hour of a busy shop. Older ones are in the
# central system's deltas; the item itself keeps when it last changed.
MAX_RECENT = 20_000
# ... and those that are shown of one item.
SHOWN_TRANSITIONS = 20


class Past(NamedTuple):
    """One change of one item, at `at_us` UTC; zones by name."""

    at_us: int
    identity: Identity
    cause: str
    was: str
    left: str | None
    now: str
    entered: str | None


class RecentTransitions:
    """The last transitions of all items, bounded as a whole: nothing is kept per tag."""

    def __init__(self, limit: int = MAX_RECENT) -> None:
        self._past: deque[Past] = deque(maxlen=limit)

    def add(self, transitions: Iterable[Transition], at_us: int) -> None:
        self._past.extend(
            Past(
                at_us,
                made.item.identity,
                made.cause,
                made.was,
                made.left.id if made.left is not None else None,
                made.now,
                made.entered.id if made.entered is not None else None,
            )
            for made in transitions
        )

    def of(self, identity: Identity) -> list[Past]:
        """What is remembered of one item, oldest first."""
        found = [past for past in self._past if past.identity == identity]
        return found[-SHOWN_TRANSITIONS:]


def known_item(
    inventory: Inventory, recent: RecentTransitions, identity: Identity, now_us: int, utc_us: int
) -> dict[str, Any] | None:
    """All that is known of an item, as JSON values; None where it is unknown.

    `now_us` and `utc_us` are one moment on the gateway's two clocks. Times are RFC 3339, durations seconds.
    """
    item = inventory.find(identity)
    past = recent.of(identity)
    if item is None and not past:
        return None
    found: dict[str, Any] = {"gtin": identity.gtin, "serial": identity.serial, "at": rfc3339(utc_us)}
    if item is None:
        found |= {"presence": "unknown", "zone": None}
    else:
        shift_us = utc_us - now_us
        facts = asdict(explain(item))
        facts["changed"] = rfc3339(facts.pop("changed_us") + shift_us)
        facts["seen"] = rfc3339(facts["seen_us"] + shift_us)
        facts["seen_ago_s"] = _seconds(now_us - facts.pop("seen_us"))
        for heard in facts["heard"]:
            heard["last"] = rfc3339(heard.pop("last_us") + shift_us)
        rival_since_us = facts.pop("rival_since_us")
        facts["rival_for_s"] = _seconds(now_us - rival_since_us) if facts["rival"] is not None else None
        found |= facts
    found["transitions"] = [
        {
            "at": rfc3339(each.at_us),
            "cause": each.cause,
            "was": each.was,
            "left": each.left,
            "now": each.now,
            "entered": each.entered,
        }
        for each in past
    ]
    return found


def recorded_item(record: ItemRecord, utc_us: int) -> dict[str, Any]:
    """What a ledger alone tells of an item, in the same form: evidence lives in a running gateway."""
    return {
        "gtin": record.gtin,
        "serial": record.serial,
        "at": rfc3339(utc_us),
        "epcs": [key_epc(record.key).hex().upper()],
        "presence": record.presence.value,
        "zone": record.zone,
        "changed": rfc3339(record.changed_utc_us),
        "seen": rfc3339(record.seen_utc_us),
        "seen_ago_s": _seconds(utc_us - record.seen_utc_us),
        "read_chance": record.read_chance,
        "silence_s": record.silence_s,
    }


def _seconds(us: int) -> float:
    return round(us / US_PER_S, 3)
