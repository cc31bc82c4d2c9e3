"""Answers the verbs of `cmd/{verb}`. Whatever comes in, an answer goes out; nothing raises."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import ConfigDict, ValidationError

from gateway import payloads
from gateway.ledger import Ledger
from gateway.snapshots import Snapshots

log = logging.getLogger(__name__)

# A request is a few words; a larger one is not ours.
MAX_REQUEST_BYTES = 4_096
RequestT = TypeVar("RequestT", bound=payloads.Request)


class _Traced(payloads.Request):
    """Any request, whatever else is in it."""

    model_config = ConfigDict(extra="ignore")

    v: Any = 1  # of another version, too


class BadRequestError(Exception):
    """The payload is none that this verb takes."""


class Commands:
    """The verbs. `status` is asked of the daemon, the rest answers from the ledger."""

    def __init__(
        self, ledger: Ledger, snapshots: Snapshots, status: Callable[[str | None], payloads.StatusAnswer]
    ) -> None:
        self._ledger = ledger
        self._snapshots = snapshots
        self._status = status
        self.limit_bytes = payloads.MAX_REPLAY_BYTES
        self._verbs: dict[str, Callable[[bytes], Awaitable[payloads.Payload]]] = {
            "status": self._answer_status,
            "snapshot": self._answer_snapshot,
            "replay": self._answer_replay,
        }
        self.answered: dict[str, int] = dict.fromkeys((*self._verbs, "refused"), 0)

    async def answer(self, verb: str, payload: bytes) -> payloads.Payload:
        """The answer to one command, an ErrorAnswer where it makes no sense."""
        handler = self._verbs.get(verb)
        if len(payload) > MAX_REQUEST_BYTES:
            return self._refuse(f"{len(payload)} bytes; a request has at most {MAX_REQUEST_BYTES}", b"")
        if handler is None:
            return self._refuse(f"unknown verb {verb[:32]!r}; known: {', '.join(sorted(self._verbs))}", payload)
        try:
            answer = await handler(payload)
        except BadRequestError as error:
            return self._refuse(str(error), payload)
        except sqlite3.Error as error:
            log.warning("ledger: cannot be read for %s: %s", verb, error)
            return self._refuse("the ledger cannot be read now", payload, word="unavailable")
        self.answered[verb] += 1
        return answer

    def _refuse(self, text: str, payload: bytes, word: str = "bad-request") -> payloads.ErrorAnswer:
        self.answered["refused"] += 1
        return payloads.ErrorAnswer(transaction=_transaction(payload), error=word, text=text)

    async def _answer_status(self, payload: bytes) -> payloads.Payload:
        return self._status(_parse(payloads.Request, payload).transaction)

    async def _answer_snapshot(self, payload: bytes) -> payloads.Payload:
        request = _parse(payloads.Request, payload)
        now = self._snapshots.ask()
        position = self._ledger.position
        return payloads.SnapshotAnswer(
            transaction=request.transaction, epoch=position.epoch, as_of=position.seq, published=now
        )

    async def _answer_replay(self, payload: bytes) -> payloads.Payload:
        request = _parse(payloads.ReplayRequest, payload)
        position = self._ledger.position
        oldest = position.trimmed + 1
        if request.epoch != position.epoch or request.from_seq < oldest:
            return payloads.ErrorAnswer(transaction=request.transaction, error="gone", oldest=oldest)
        deltas: list[payloads.Delta] = []
        size = payloads.ENVELOPE_BYTES
        for numbered in await self._ledger.deltas(request.from_seq, request.limit):
            size += len(numbered.payload)
            if deltas and size > self.limit_bytes:
                break
            deltas.append(payloads.Delta.model_validate_json(numbered.payload))
        if deltas and deltas[0].seq != request.from_seq:
            return payloads.ErrorAnswer(transaction=request.transaction, error="gone", oldest=deltas[0].seq)
        following = deltas[-1].seq + 1 if deltas else request.from_seq
        return payloads.ReplayPage(
            transaction=request.transaction, epoch=position.epoch, deltas=tuple(deltas), next=following
        )


def _transaction(payload: bytes) -> str | None:
    """What an asker knows its answer by, as far as a request that is otherwise wrong has it."""
    try:
        return _Traced.model_validate_json(payload or b"{}").transaction
    except ValidationError:
        return None


def _parse(model: type[RequestT], payload: bytes) -> RequestT:
    """An empty payload is an empty request."""
    try:
        return model.model_validate_json(payload or b"{}")
    except ValidationError as error:
        raise BadRequestError(payloads.explain(error)) from error
