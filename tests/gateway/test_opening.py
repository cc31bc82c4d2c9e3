import pytest

from gateway.opening import LedgerMark, Opening, opening
from gateway.payloads import Delta, Digest, Manifest, Payload, SnapshotPart, State, Topics

TOPICS = Topics.of("tallygate/v1", "store", "gw")
OURS = LedgerMark(epoch="e1", boot=5, seq=150)


def state(epoch: str = "e1", boot: int = 5, seq: int = 150) -> State:
    return State(online=True, boot=boot, session=1, epoch=epoch, seq=seq, at="", software="", config="")


def digest(epoch: str = "e1", seq: int = 150) -> Digest:
    return Digest(epoch=epoch, seq=seq, rows=0, quantity=0, hash="")


def manifest(epoch: str = "e1", as_of: int = 150) -> Manifest:
    return Manifest(epoch=epoch, as_of=as_of, parts=1, rows=0, hash="", at="")


def part(epoch: str = "e1", as_of: int = 150) -> SnapshotPart:
    return SnapshotPart(epoch=epoch, as_of=as_of, part=0, rows=())


def topic_of(payload: Payload) -> str:
    match payload:
        case State():
            return TOPICS.state
        case Digest():
            return TOPICS.digest
        case Manifest():
            return TOPICS.manifest
        case _:
            return TOPICS.part(0)


def opened(ledger: LedgerMark | None, *said: Payload, **more: bytes) -> Opening:
    retained = {topic_of(payload): payload.encode() for payload in said} | more
    return opening(ledger, retained, TOPICS, zones=["floor"], readers=["r1"], parts=1)


def test_a_plain_restart_keeps_the_epoch() -> None:
    assert opened(OURS, state(), digest(), manifest(), part()) == Opening(
        "e1", 6, rolled_back=False, evidence="", succeeds="", clear=()
    )


def test_a_first_start_draws_an_epoch() -> None:
    assert opened(None) == Opening(None, 1, rolled_back=False, evidence="", succeeds="", clear=())


def test_a_lost_ledger_draws_an_epoch_and_starts_above_what_was_published() -> None:
    first = opened(None, state(boot=41))
    assert (first.epoch, first.boot, first.rolled_back) == (None, 42, False)
    assert first.succeeds == "e1"


def test_a_new_ledger_that_outnumbers_what_was_published_keeps_its_epoch_and_says_whom_it_succeeds() -> None:
    new = LedgerMark("e2", 1_800_000_000, 0)
    first = opened(new, state(boot=41))
    assert (first.epoch, first.boot, first.rolled_back) == ("e2", 1_800_000_001, False)
    assert first.succeeds == "e1"


def test_a_broker_that_lost_everything_is_no_evidence() -> None:
    assert opened(OURS) == Opening("e1", 6, rolled_back=False, evidence="", succeeds="", clear=())


@pytest.mark.parametrize(
    "said",
    [
        state(boot=6),
        state(seq=151),
        digest(seq=151),
        manifest(as_of=151),
        part(as_of=151),
        state(epoch="e2"),
        state("e2", 9),
    ],
    ids=str,
)
def test_whatever_was_published_beyond_the_ledger_proves_a_rollback(said: Payload) -> None:
    found = opened(OURS, said)
    assert found.rolled_back
    assert found.epoch is None
    assert found.evidence
    assert found.boot > max(OURS.boot, said.boot if isinstance(said, State) else 0)


@pytest.mark.parametrize(
    "said", [state("e0", 4, 900), digest("e0", 900), manifest("e0", 900), part("e0", 900)], ids=str
)
def test_what_was_published_under_an_earlier_epoch_proves_nothing(said: Payload) -> None:
    assert opened(OURS, said).rolled_back is False


def test_a_crash_between_a_new_epoch_and_its_first_state_draws_no_second_one() -> None:
    after_new_epoch = LedgerMark(epoch="e2", boot=6, seq=0)
    assert opened(after_new_epoch, state("e1", 5, 150), digest("e1", 150)).epoch == "e2"


def test_rubbish_is_no_evidence_and_no_crash() -> None:
    retained = {TOPICS.state: b"\xff{", TOPICS.digest: b"[]", TOPICS.manifest: b"{}", TOPICS.part(0): b"1"}
    assert opening(OURS, retained, TOPICS, zones=[], readers=[], parts=1).epoch == "e1"


def test_topics_that_are_no_longer_ours_are_cleared_and_no_others() -> None:
    ours = [TOPICS.zone_health("floor"), TOPICS.reader_state("r1"), TOPICS.part(0)]
    gone = [TOPICS.zone_health("old"), TOPICS.reader_state("r9"), TOPICS.part(1), TOPICS.part(12), TOPICS.root + "odd"]
    others = [TOPICS.command("status"), "tallygate/v1/store/gw2/state", "elsewhere"]
    retained = dict.fromkeys([*ours, *gone, *others], b"x") | {TOPICS.zone_health("empty"): b""}
    found = opening(OURS, retained, TOPICS, zones=["floor"], readers=["r1"], parts=1)
    assert found.clear == tuple(sorted(gone))


def test_a_delta_is_never_evidence() -> None:
    delta = Delta(epoch="e1", seq=999, at="", changes=(), causes={})
    assert opening(OURS, {TOPICS.delta: delta.encode()}, TOPICS, zones=[], readers=[], parts=0).rolled_back is False
