"""How a gateway starts, pure: what its ledger and its own retained topics together say about the life before.

A ledger that was restored from a backup knows less than the gateway has published. It must not number on from there
under the old epoch, for consumers would take the new deltas for ones they have (docs/mqtt.md, rule 4).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from gateway.payloads import Digest, Manifest, SnapshotPart, State, Topics


@dataclass(frozen=True, slots=True)
class LedgerMark:
    """Where a ledger stands: its epoch, the number of its last start, and of its last delta."""

    epoch: str
    boot: int
    seq: int


@dataclass(frozen=True, slots=True)
class Opening:
    """How to start. `epoch` None: draw a new one, for the ledger is new or was `rolled_back`; `evidence` says by what.

    `succeeds` is the epoch that the broker knows where the ledger has another one: what was there before is lost.
    `clear` are the retained topics to publish empty: they speak of zones, readers or parts that are no more.
    """

    epoch: str | None
    boot: int
    rolled_back: bool
    evidence: str
    succeeds: str
    clear: tuple[str, ...]


def opening(
    ledger: LedgerMark | None,
    retained: Mapping[str, bytes],
    topics: Topics,
    *,
    zones: Collection[str],
    readers: Collection[str],
    parts: int,
) -> Opening:
    """Decides from the ledger (None: it is new) and all that is retained below the own root (topic -> payload).

    `parts` is the number of parts of the snapshot that is published next. What is retained but does not parse is no
    evidence; it is overwritten or cleared like the rest.
    """
    published = _published(retained, topics)
    boots = [state.boot for state in published if isinstance(state, State)]
    epochs = [state.epoch for state in published if isinstance(state, State)]
    own = ledger.boot if ledger is not None else 0
    evidence = _evidence(ledger, published) if ledger is not None else ""
    return Opening(
        epoch=ledger.epoch if ledger is not None and not evidence else None,
        boot=max(own, *boots, 0) + 1,
        rolled_back=bool(evidence),
        evidence=evidence,
        succeeds=next((epoch for epoch in epochs if ledger is None or epoch != ledger.epoch), ""),
        clear=_outdated(retained, topics, zones, readers, parts),
    )


_Published = State | Digest | Manifest | SnapshotPart


def _published(retained: Mapping[str, bytes], topics: Topics) -> list[_Published]:
    """What the gateway said of its own numbers: `state`, digest, manifest and parts."""
    models: dict[str, type[_Published]] = {
        topics.state: State,
        topics.digest: Digest,
        topics.manifest: Manifest,
    }
    found: list[_Published] = []
    for topic, payload in retained.items():
        model = models.get(topic) or (SnapshotPart if topic.startswith(topics.manifest + "/") else None)
        if model is None or not payload:
            continue
        try:
            found.append(model.model_validate_json(payload))
        except ValidationError:
            continue
    return found


def _evidence(ledger: LedgerMark, published: list[_Published]) -> str:
    """In one sentence why the ledger must have been rolled back; empty if nothing says so."""
    for said in published:
        if isinstance(said, State):
            if said.boot > ledger.boot:
                return f"start {said.boot} was published, the ledger knows of {ledger.boot}"
            # A start draws a new epoch only together with a new boot, so two epochs of one boot are two histories.
            if said.boot == ledger.boot and said.epoch != ledger.epoch:
                return f"start {said.boot} was published with another epoch"
        seq = said.seq if isinstance(said, State | Digest) else said.as_of
        if said.epoch == ledger.epoch and seq > ledger.seq:
            return f"delta {seq} was published, the ledger ends at {ledger.seq}"
    return ""


def _outdated(
    retained: Mapping[str, bytes], topics: Topics, zones: Collection[str], readers: Collection[str], parts: int
) -> tuple[str, ...]:
    """Retained topics of the own tree that nothing will overwrite; commands are their senders' business."""
    own = {topics.state, topics.digest, topics.manifest}
    own.update(topics.zone_health(zone) for zone in zones)
    own.update(topics.reader_state(reader) for reader in readers)
    own.update(topics.part(number) for number in range(parts))
    return tuple(
        sorted(
            topic
            for topic, payload in retained.items()
            if payload
            and topic not in own
            and topic.startswith(topics.root)
            and not topic.startswith(topics.command(""))
        )
    )
