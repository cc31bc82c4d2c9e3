# SPDX-License-Identifier: Apache-2.0
"""From a topic and its bytes to what it says, pure."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from gateway.payloads import (
    Delta,
    Digest,
    ErrorAnswer,
    Manifest,
    Payload,
    ReplayPage,
    SnapshotPart,
    State,
    Topics,
    ZoneHealth,
    explain,
)

PayloadT = TypeVar("PayloadT", bound=Payload)

# As much of a payload as an error shows.
MAX_EVIDENCE_BYTES = 64


class UndecodableError(Exception):
    """A payload that is not what its topic promises; it is counted and dropped, the next one may be fine."""

    def __init__(self, topic: str, payload: bytes, text: str) -> None:
        super().__init__(f"{topic}: {text}")
        self.topic = topic
        self.evidence = payload[:MAX_EVIDENCE_BYTES]
        self.hint = "is the gateway of a newer version, or does somebody else publish here?"


@dataclass(frozen=True, slots=True)
class ZoneSays:
    """A zone's health, with its name, which is in the topic."""

    zone: str
    health: ZoneHealth


Decoded = State | Delta | SnapshotPart | Manifest | Digest | ZoneSays


def decode(topics: Topics, topic: str, payload: bytes) -> Decoded | None:
    """What was published; None for what says nothing to a consumer: an empty payload, another topic.

    Raises UndecodableError.
    """
    if not payload:
        return None
    if topic.startswith(topics.root + "zones/") and topic.endswith("/health"):
        zone = topic.removeprefix(topics.root + "zones/").removesuffix("/health")
        return ZoneSays(zone, _parse(ZoneHealth, topic, payload))
    models: dict[str, type[State | Delta | Manifest | Digest]] = {
        topics.delta: Delta,
        topics.state: State,
        topics.manifest: Manifest,
        topics.digest: Digest,
    }
    if topic.startswith(topics.manifest + "/"):
        return _parse(SnapshotPart, topic, payload)
    return _parse(models[topic], topic, payload) if topic in models else None


def decode_replay(topic: str, payload: bytes) -> ReplayPage | ErrorAnswer:
    """The answer to a replay; raises UndecodableError."""
    try:
        return ErrorAnswer.model_validate_json(payload)
    except ValidationError:
        return _parse(ReplayPage, topic, payload)


def _parse(model: type[PayloadT], topic: str, payload: bytes) -> PayloadT:
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise UndecodableError(topic, payload, explain(error)) from error
