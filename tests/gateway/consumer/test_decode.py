import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consumer.decode import MAX_EVIDENCE_BYTES, UndecodableError, ZoneSays, decode, decode_replay
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
)

TOPICS = Topics.of("tallygate/v1", "store", "gw")
EVERY_TOPIC = [
    TOPICS.state,
    TOPICS.delta,
    TOPICS.part(0),
    TOPICS.manifest,
    TOPICS.digest,
    TOPICS.zone_health("floor"),
    TOPICS.alerts,
]
SAID: list[tuple[str, Payload]] = [
    (TOPICS.state, State(online=True, boot=1, session=1, epoch="e", seq=1, at="", software="", config="")),
    (TOPICS.delta, Delta(epoch="e", seq=1, at="", changes=(), causes={"moved": 1})),
    (TOPICS.part(7), SnapshotPart(epoch="e", as_of=1, part=7, rows=())),
    (TOPICS.manifest, Manifest(epoch="e", as_of=1, parts=0, rows=0, hash="", at="")),
    (TOPICS.digest, Digest(epoch="e", seq=1, rows=0, quantity=0, hash="")),
]


@pytest.mark.parametrize(("topic", "said"), SAID, ids=[topic for topic, _ in SAID])
def test_each_topic_says_what_it_carries(topic: str, said: Payload) -> None:
    assert decode(TOPICS, topic, said.encode()) == said
    assert decode(TOPICS, topic, b"") is None
    with pytest.raises(UndecodableError):
        decode(TOPICS, topic, said.encode() + b"}")


def test_a_zones_name_is_in_its_topic() -> None:
    health = ZoneHealth(state="stale", readers=("r",), since="", text="")
    assert decode(TOPICS, TOPICS.zone_health("floor"), health.encode()) == ZoneSays("floor", health)


@pytest.mark.parametrize("topic", [TOPICS.alerts, TOPICS.command("status"), "elsewhere", TOPICS.reader_state("r")])
def test_other_topics_say_nothing_here(topic: str) -> None:
    assert decode(TOPICS, topic, b"anything") is None


def test_an_answer_is_a_page_or_an_error() -> None:
    page = ReplayPage(epoch="e", deltas=(Delta(epoch="e", seq=1, at="", changes=(), causes={}),), next=2)
    gone = ErrorAnswer(error="gone", oldest=5)
    assert decode_replay("t", page.encode()) == page
    assert decode_replay("t", gone.encode()) == gone
    with pytest.raises(UndecodableError):
        decode_replay("t", b"[]")


@given(st.sampled_from(EVERY_TOPIC), st.one_of(st.binary(max_size=200), st.from_regex(rb'\{"v":[0-9],"[a-z]*":.*\}')))
def test_rubbish_is_an_error_with_a_little_evidence(topic: str, payload: bytes) -> None:
    evidence = b""
    try:
        decode(TOPICS, topic, payload)
    except UndecodableError as error:
        evidence = error.evidence
    assert len(evidence) <= MAX_EVIDENCE_BYTES
    assert payload.startswith(evidence)
