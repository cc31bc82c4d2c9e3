from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway import payloads
from gateway.domain.delta import MAX_CHANGES_PER_DELTA, Change, Step
from gateway.domain.items import Cause
from gateway.domain.params import Disposition
from gateway.ledger_rows import encode_delta

# The contract's limit of one message.
MAX_PAYLOAD_BYTES = 64_000


def step_of(quantities: Sequence[int]) -> Step:
    changes = tuple(Change(f"{n:014}", "floor", "x", q, q, 0, stale=False) for n, q in enumerate(quantities))
    return Step(changes, {Cause.ARRIVED: sum(quantities)})


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=3 * MAX_CHANGES_PER_DELTA))
def test_splitting_keeps_every_change_and_tells_the_causes_once(quantities: list[int]) -> None:
    step = step_of(quantities)
    pieces = list(step.split())
    assert tuple(change for piece in pieces for change in piece.changes) == step.changes
    assert [piece.causes for piece in pieces] == [step.causes, *({} for _ in pieces[1:])]
    assert all(0 < len(piece.changes) <= MAX_CHANGES_PER_DELTA for piece in pieces)
    assert len(pieces) == -(-len(quantities) // MAX_CHANGES_PER_DELTA)


def test_the_largest_piece_fits_a_message() -> None:
    longest = max(Disposition, key=len)
    huge = 10**9
    changes = tuple(
        Change(f"{n:014}", "z" * 64, longest, -huge, huge, huge, stale=True) for n in range(MAX_CHANGES_PER_DELTA)
    )
    causes = dict.fromkeys(Cause, huge)
    payload = encode_delta(Step(changes, causes), "0" * 36, 2**63 - 1, 1_800_000_000_000_000)
    assert len(payload) <= MAX_PAYLOAD_BYTES
    assert len(payloads.Delta.model_validate_json(payload).changes) == MAX_CHANGES_PER_DELTA
