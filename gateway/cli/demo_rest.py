"""Where the demo's gateway counts an item elsewhere than it lies, and why, in plain sentences."""

from collections import Counter
from collections.abc import Iterable, Mapping

from gateway.domain.epc import EpcError, decode
from gateway.domain.items import Identity, Item
from gateway.domain.presence import COUNTED, Presence

# These are not settled by waiting for a minute: on a first day nearly all tags that are read once are items.
GHOST = "that never was: read once by chance, given up when it stays silent"


def lying(epcs: Iterable[tuple[bytes, str]]) -> dict[Identity, str]:
    """Item -> where it really lies, of all (EPC, zone) in the store."""
    found = {}
    for data, zone in epcs:
        try:
            identity = decode(data).identity
        except EpcError:
            continue
        if identity is not None:
            found[Identity(*identity)] = zone
    return found


def differences(truth: Mapping[Identity, str], items: Iterable[Item]) -> dict[str, int]:
    """Reason -> items, the most frequent first; none where every item counts where it lies."""
    known = {item.identity: item for item in items}
    reasons: Counter[str] = Counter()
    for identity in truth.keys() | known.keys():
        reason = _difference(truth.get(identity), known.get(identity))
        if reason is not None:
            reasons[reason] += 1
    return dict(sorted(reasons.items(), key=lambda each: (-each[1], each[0])))


def _difference(lies: str | None, item: Item | None) -> str | None:
    counted = item.zone.id if item is not None and item.zone is not None and item.presence in COUNTED else None
    if counted == lies:
        return None
    if counted is None:
        if item is not None and item.presence is Presence.DEPARTED:
            return f"in {lies}, taken for gone: silent for too long"
        return f"in {lies}, not counted: not read often enough yet"
    if lies is None:
        if item is not None and item.unproven:
            return f"in {counted} {GHOST}"
        return f"gone, still counted in {counted}: silent, but not for long enough"
    return f"in {lies}, still counted in {counted}: too few reads have told that it was carried"
