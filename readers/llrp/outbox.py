"""What leaves a session: numbered requests, acknowledgements before all else, and who is still owed an answer. Pure."""

from typing import Final

from readers.llrp.control import Answer, KeepaliveAck, Request
from readers.llrp.messages import encode

MAX_UNANSWERED: Final = 16
"""A reader that answers nothing of this kind is not asked again and again into an endless list."""


class Outbox:
    """Frames to send. An aside is a request beside the way to reading: nothing waits for its answer."""

    def __init__(self) -> None:
        self._next_id = 1
        self._acks: list[bytes] = []
        self._sends: list[bytes] = []
        self._asides: dict[int, Request] = {}

    def send(self, request: Request) -> int:
        """Put `request` in; its message id."""
        message_id = self._next_id
        self._next_id += 1
        self._sends.append(encode(request, message_id))
        return message_id

    def aside(self, request: Request) -> None:
        """Put it in, and remember that it was asked."""
        self._asides[self.send(request)] = request
        while len(self._asides) > MAX_UNANSWERED:
            del self._asides[next(iter(self._asides))]

    def take_aside(self, answer: Answer) -> Request | None:
        """The aside that this answers, and no later answer does."""
        return self._asides.pop(answer.message_id, None)

    def acknowledge(self, message_id: int) -> None:
        """KEEPALIVE_ACK; it goes before whatever else waits."""
        self._acks.append(encode(KeepaliveAck(), message_id))

    def take_bytes(self) -> bytes:
        """All of it, once."""
        data = b"".join((*self._acks, *self._sends))
        self._acks.clear()
        self._sends.clear()
        return data
