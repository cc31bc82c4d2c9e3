"""What must come next on a connection, and how long it is waited for. Pure."""

from dataclasses import dataclass
from typing import Final

from readers.llrp.clock import SECOND_US
from readers.llrp.wire import MessageType

BACKLOG_LIMIT_US: Final = 60 * SECOND_US
"""66,000 held reports, as some readers keep them, over a link of 1 Mbit/s; an answer behind them is no lost one."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The answer to the one request that is out, or the connection event (`message_id` 0: it answers nothing).

    `hurried`: what comes otherwise is no reason to wait any longer.
    """

    name: str
    since_us: int
    patience_us: int
    message_id: int = 0
    kind: MessageType = MessageType.READER_EVENT_NOTIFICATION
    hurried: bool = False

    def due_us(self, reported_us: int) -> int:
        """When it has been too long; the reader's last report came at `reported_us`.

        A reader that hands over what it held sends it in front of its answers.
        """
        if self.hurried:
            return self.since_us + self.patience_us
        return min(max(self.since_us, reported_us) + self.patience_us, self.since_us + BACKLOG_LIMIT_US)

    def is_answered_by(self, kind: int, message_id: int) -> bool:
        """Whether such a message is what is waited for."""
        return 0 < self.message_id == message_id and kind in {self.kind, MessageType.ERROR_MESSAGE}
