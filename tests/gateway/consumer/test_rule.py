from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consumer import rule as rule_module
from gateway.consumer.outputs import (
    Apply,
    Compare,
    Finding,
    FindingKind,
    Output,
    Remember,
    Replace,
    RequestReplay,
    RequestSnapshot,
)
from gateway.consumer.rule import (
    BEHIND_GRACE_S,
    DIGEST_LAG_S,
    MAX_HELD_MESSAGES,
    MAX_PENDING_DELTAS,
    REPLAY_PATIENCE_S,
    REPLAY_TIMEOUT_S,
    SNAPSHOT_GRACE_S,
    TABLE,
    Event,
    Mode,
    Rule,
)
from gateway.consumer.stock import Position
from gateway.payloads import Delta, Digest, ErrorAnswer, Manifest, ReplayPage, Row, SnapshotPart, State, rows_hash

A = "09506000134352"


def state(epoch: str = "e1", boot: int = 1, session: int = 1, seq: int = 0, *, online: bool = True) -> State:
    return State(online=online, boot=boot, session=session, epoch=epoch, seq=seq, at="", software="", config="")


def delta(seq: int, epoch: str = "e1") -> Delta:
    return Delta(epoch=epoch, seq=seq, at="", changes=(), causes={})


def digest(seq: int, epoch: str = "e1") -> Digest:
    return Digest(epoch=epoch, seq=seq, rows=0, quantity=0, hash="h")


def row(number: int) -> Row:
    return Row(gtin=f"{number:014}", zone="floor", disposition="", quantity=1, confirmed=0)


def part(number: int, as_of: int, epoch: str = "e1") -> SnapshotPart:
    return SnapshotPart(epoch=epoch, as_of=as_of, part=number, rows=(row(number),))


def manifest(as_of: int, parts: int = 2, epoch: str = "e1") -> Manifest:
    rows = [row(number) for number in range(parts)]
    return Manifest(epoch=epoch, as_of=as_of, parts=parts, rows=parts, hash=rows_hash(rows), at="")


def page(first: int, last: int) -> ReplayPage:
    return ReplayPage(epoch="e1", deltas=tuple(delta(seq) for seq in range(first, last + 1)), next=last + 1)


def in_step(seq: int = 10, left: tuple[str, ...] = ()) -> Rule:
    return Rule(Position("e1", seq, left, (1, 1)), Random(1), 0.0)


def cold() -> Rule:
    return Rule(None, Random(1), 0.0)


def seqs(outputs: list[Output]) -> list[int]:
    return [delta.seq for output in outputs if isinstance(output, Apply) for delta in output.deltas]


def kinds(outputs: list[Output]) -> list[type]:
    return [type(output) for output in outputs]


def test_in_step_it_applies_what_follows_and_drops_what_it_has() -> None:
    rule = in_step()
    assert rule.message(delta(11), 0) == [Apply((delta(11),), Position("e1", 11, (), (1, 1)))]
    assert rule.message(delta(11), 0) == []
    assert rule.message(delta(3), 0) == []
    assert rule.duplicates == 2


def test_a_gap_is_asked_for_once_and_live_deltas_wait() -> None:
    rule = in_step()
    assert rule.message(delta(13), 0) == [RequestReplay("e1", 11, 500)]
    assert rule.message(delta(14), 0) == []
    assert seqs(rule.replayed(page(11, 12), 0)) == [11, 12, 13, 14]
    assert rule.mode is Mode.IN_STEP
    assert rule.gaps == 1


def test_a_long_gap_is_asked_for_page_by_page() -> None:
    rule = in_step()
    rule.message(delta(1000), 0)
    outputs = rule.replayed(page(11, 510), 0)
    assert seqs(outputs) == list(range(11, 511))
    assert outputs[-1] == RequestReplay("e1", 511, 500)
    assert seqs(rule.replayed(page(511, 999), 0)) == list(range(511, 1001))


def test_a_missing_delta_that_comes_late_closes_the_gap_by_itself() -> None:
    rule = in_step()
    rule.message(delta(12), 0)
    assert seqs(rule.message(delta(11), 0)) == [11, 12]
    assert rule.mode is Mode.IN_STEP
    assert rule.replayed(page(11, 12), 0) == []


def test_an_unanswered_replay_is_repeated_and_then_given_up() -> None:
    rule = in_step()
    rule.message(delta(12), 0)
    assert rule.tick(REPLAY_TIMEOUT_S - 1) == []
    assert rule.tick(REPLAY_TIMEOUT_S) == [RequestReplay("e1", 11, 500)]
    rule.tick(REPLAY_PATIENCE_S - 1)
    outputs = rule.tick(REPLAY_PATIENCE_S + REPLAY_TIMEOUT_S)
    assert kinds(outputs) == [Finding, RequestSnapshot]
    assert rule.mode is Mode.RESYNCING


def test_what_is_gone_is_replaced_by_a_snapshot_and_the_waiting_deltas_follow() -> None:
    rule = in_step()
    rule.message(delta(20), 0)
    assert rule.refused(ErrorAnswer(error="gone", oldest=18), 0) == [RequestSnapshot()]
    rule.message(delta(21), 0)
    assert rule.message(manifest(10), 0) == [], "as of no more than what is applied"
    rule.message(part(0, 19), 0)
    rule.message(part(1, 19), 0)
    outputs = rule.message(manifest(19), 0)
    assert kinds(outputs) == [Replace, Apply]
    assert seqs(outputs) == [20, 21]
    assert rule.mode is Mode.IN_STEP


def test_a_replay_that_is_refused_for_another_reason_is_said() -> None:
    rule = in_step()
    rule.message(delta(20), 0)
    outputs = rule.refused(ErrorAnswer(error="busy", text="later"), 0)
    assert outputs == [Finding(FindingKind.REPLAY_FAILED, "busy: later"), RequestSnapshot()]


def test_a_snapshot_that_came_meanwhile_is_taken_without_asking() -> None:
    rule = in_step()
    for message in (part(0, 15), part(1, 15), manifest(15)):
        assert rule.message(message, 0) == [], "in step, or so it seems"
    rule.message(delta(20), 0)
    outputs = rule.refused(ErrorAnswer(error="gone"), 0)
    assert kinds(outputs) == [Replace, RequestReplay]
    assert outputs[-1] == RequestReplay("e1", 16, 500)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_cold_consumer_takes_a_snapshot_in_any_order(order: tuple[int, ...]) -> None:
    rule = cold()
    messages = [part(0, 5), part(1, 5), manifest(5)]
    assert rule.state(state(seq=5), 0) == []
    outputs = [output for index in order for output in rule.message(messages[index], 0)]
    assert outputs == [Replace((row(0), row(1)), Position("e1", 5, (), (1, 1)))]


def test_everything_that_comes_before_the_state_waits_for_it() -> None:
    rule = cold()
    for message in (part(0, 5), part(1, 5), manifest(5), delta(6), delta(7), delta(1, "other")):
        assert rule.message(message, 0) == []
    outputs = rule.state(state(), 0)
    assert kinds(outputs) == [Replace, Apply, Apply]
    assert seqs(outputs) == [6, 7]


def test_what_waits_for_a_state_is_bounded() -> None:
    rule = cold()
    findings = [rule.message(delta(seq), 0) for seq in range(MAX_HELD_MESSAGES + 1)]
    assert [kinds(outputs) for outputs in findings if outputs] == [[Finding]]
    assert len(rule._held) == MAX_HELD_MESSAGES


def test_an_empty_stock_is_a_snapshot_too() -> None:
    rule = cold()
    rule.state(state(), 0)
    assert rule.message(manifest(0, parts=0), 0) == [Replace((), Position("e1", 0, (), (1, 1)))]


def test_parts_of_another_number_never_mix() -> None:
    rule = cold()
    rule.state(state(), 0)
    for message in (part(0, 4), part(1, 5), manifest(5), manifest(4)):
        assert rule.message(message, 0) == []
    assert kinds(rule.message(part(0, 5), 0)) == [Replace]


def test_a_snapshot_that_does_not_add_up_is_refused_and_asked_for_again() -> None:
    rule = cold()
    rule.state(state(), 0)
    lie = manifest(5).model_copy(update={"hash": "0" * 64})
    rule.message(part(0, 5), 0)
    rule.message(part(1, 5), 0)
    (finding,) = rule.message(lie, 0)
    assert isinstance(finding, Finding)
    assert finding.kind is FindingKind.SNAPSHOT_BROKEN
    assert rule.tick(SNAPSHOT_GRACE_S) == [RequestSnapshot()]
    assert rule.tick(SNAPSHOT_GRACE_S + 1) == [], "not at once again"
    assert rule.tick(SNAPSHOT_GRACE_S + 20) == [RequestSnapshot()]
    assert rule.tick(SNAPSHOT_GRACE_S + 40) == [], "and ever more rarely"


def test_the_newest_online_state_alone_names_the_epoch() -> None:
    rule = in_step()
    outputs = rule.state(state("e2", boot=2), 0)
    assert kinds(outputs) == [Finding, Remember]
    assert rule.state(state("e1", boot=1, session=9), 0) == [], "older"
    assert rule.epoch == "e2"
    assert rule.message(delta(11, "e1"), 0) == [], "left"
    assert rule.message(delta(2, "e2"), 0) == []
    outputs = rule.message(manifest(1, 0, "e2"), 0)
    assert outputs == [
        Replace((), Position("e2", 1, ("e1",), (2, 1))),
        Apply((delta(2, "e2"),), Position("e2", 2, ("e1",), (2, 1))),
    ]


def test_an_epoch_left_is_remembered_over_a_restart() -> None:
    rule = in_step(left=("e0",))
    assert rule.message(delta(99, "e0"), 0) == []
    assert rule.duplicates == 1
    assert not rule._held


def test_an_offline_state_names_nothing_and_an_old_one_says_nothing() -> None:
    rule = in_step()
    rule.state(state("e1", boot=3), 0)
    assert rule.online is True
    rule.state(state("e1", boot=2, session=5, online=False), 0)
    assert rule.online is True, "the will of an earlier life"
    rule.state(state("e9", boot=3, online=False), 0)
    assert rule.online is False
    assert rule.epoch == "e1"


def test_a_digest_is_compared_only_when_it_is_of_the_same_number() -> None:
    rule = in_step()
    assert rule.message(digest(10), 0) == [Compare(digest(10))]
    assert rule.message(digest(9), 0) == []
    assert rule.message(digest(11), 0) == []


def test_a_digest_ahead_means_that_something_is_missing() -> None:
    rule = in_step()
    rule.message(digest(12), 0)
    assert rule.tick(1) == []
    assert rule.tick(1 + BEHIND_GRACE_S) == [RequestReplay("e1", 11, 500)]


def test_it_may_be_only_on_its_way() -> None:
    rule = in_step()
    rule.state(state(session=2, seq=12), 0)
    rule.tick(1)
    rule.message(delta(11), 1)
    rule.message(delta(12), 1)
    assert rule.tick(1 + BEHIND_GRACE_S) == []


def test_a_stock_that_differs_is_replaced_even_by_the_same_number() -> None:
    rule = in_step()
    outputs = rule.disagreed(Position("e1", 10), "hash", 0)
    assert outputs == [Finding(FindingKind.STOCK_DIFFERS, "hash"), RequestSnapshot()]
    rule.message(delta(11), 0)
    rule.message(part(0, 10), 0)
    rule.message(part(1, 10), 0)
    assert kinds(rule.message(manifest(10), 0)) == [Replace, Apply]


def test_a_delta_that_did_not_fit_takes_back_what_was_counted_as_applied() -> None:
    rule = in_step()
    rule.message(delta(11), 0)
    rule.disagreed(Position("e1", 10), "delta 11", 0)
    assert rule.applied == 10


def test_a_gateway_that_forgot_what_it_sent_is_found_out() -> None:
    rule = in_step()
    rule.state(state(session=2), 0)
    assert rule.message(digest(8), DIGEST_LAG_S - 1) == [], "it may be an old one"
    outputs = rule.message(digest(8), DIGEST_LAG_S)
    assert kinds(outputs) == [Finding, RequestSnapshot]
    rule.message(part(0, 8), 200)
    rule.message(part(1, 8), 200)
    assert kinds(rule.message(manifest(8), 200)) == [Replace]
    assert rule.applied == 8


def test_too_many_waiting_deltas_are_worth_a_snapshot() -> None:
    rule = in_step()
    outputs = [output for seq in range(12, 13 + MAX_PENDING_DELTAS) for output in rule.message(delta(seq), 0)]
    assert kinds(outputs) == [RequestReplay, Finding, RequestSnapshot]
    assert not rule._pending


def test_a_new_connection_asks_again_soon() -> None:
    rule = cold()
    rule.state(state(), 0)
    rule.tick(SNAPSHOT_GRACE_S)
    rule.connected(6)
    assert rule.tick(6 + SNAPSHOT_GRACE_S) == [RequestSnapshot()]


def test_the_whole_product_of_modes_and_events_is_decided() -> None:
    impossible = {
        *((Mode.WAITING, event) for event in Event if event is not Event.NAMED),
        *((Mode.IN_STEP, event) for event in (Event.FILLED, Event.GONE, Event.FAILED, Event.OVERFLOW, Event.REPLACED)),
        *((Mode.REPLAYING, event) for event in (Event.GAP, Event.REPLACED)),
        *((Mode.RESYNCING, event) for event in (Event.GAP, Event.FILLED, Event.GONE, Event.FAILED, Event.OVERFLOW)),
    }
    assert set(product(Mode, Event)) - set(TABLE) == impossible
    assert not set(TABLE) & impossible


NUMBERS = st.integers(0, 12)
EPOCHS = st.sampled_from(["e1", "e2", "e3"])
ANYTHING = st.one_of(
    st.builds(delta, NUMBERS, EPOCHS),
    st.builds(digest, NUMBERS, EPOCHS),
    st.builds(part, st.integers(0, 2), NUMBERS, EPOCHS),
    st.builds(manifest, NUMBERS, st.integers(0, 2), EPOCHS),
    st.builds(page, NUMBERS, NUMBERS),
    st.builds(state, EPOCHS, NUMBERS, NUMBERS, NUMBERS, online=st.booleans()),
    st.sampled_from([ErrorAnswer(error="gone"), ErrorAnswer(error="busy")]),
    st.floats(0, 200),
)


@given(st.lists(ANYTHING, max_size=60), st.booleans())
def test_whatever_comes_numbers_are_applied_one_by_one(messages: list[object], warm: bool) -> None:
    rule = in_step(3) if warm else cold()
    place = ("e1", 3) if warm else None
    now_s = 0.0
    for message in messages:
        match message:
            case State():
                outputs = rule.state(message, now_s)
            case ReplayPage():
                outputs = rule.replayed(message, now_s)
            case ErrorAnswer():
                outputs = rule.refused(message, now_s)
            case float():
                now_s += message
                outputs = rule.tick(now_s)
            case Delta() | Digest() | SnapshotPart() | Manifest():
                outputs = rule.message(message, now_s)
            case _:
                raise AssertionError(message)
        for output in outputs:
            if isinstance(output, Apply):
                for each in output.deltas:
                    assert place == (each.epoch, each.seq - 1)
                    place = (each.epoch, each.seq)
                assert (output.position.epoch, output.position.seq) == place
            elif isinstance(output, Replace):
                place = (output.position.epoch, output.position.seq)
                assert output.position.epoch not in output.position.left
    assert len(rule._held) <= MAX_HELD_MESSAGES
    assert len(rule._pending) <= rule_module.MAX_PENDING_DELTAS
