"""Moves deltas from the ledger through the window to the broker, and acknowledgements back."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway import payloads
from gateway.alerts import AlertBoard, AlertKind
from gateway.consumer.broker import (
    FIRST_FAILURE_CODE,
    ConnectionEndedError,
    MessageProperties,
    PacketTooLargeError,
    Reason,
    hint_for,
)
from gateway.consumer.mqtt import Connection
from gateway.ledger import Ledger
from gateway.ledger_group import Commit
from gateway.window import Acked, Command, Line, Refused, Resumed, Send, Window
from readers.driver import Clock

log = logging.getLogger(__name__)

# Deltas read ahead from the disk at a time, when an outage is worked off: five windows, and 32 MB at the very most.
READ_AHEAD_DELTAS = 500
# Acknowledgements go to disk this often: losing them only sends those deltas again.
HOUSEKEEPING_S = 0.5
JSON = MessageProperties(content_type=payloads.CONTENT_TYPE)


class DeltaSender:
    """Lives as long as the gateway; connections come and go beneath it."""

    def __init__(
        self, ledger: Ledger, topic: str, new_window: Callable[[int, int], Window], clock: Clock, alerts: AlertBoard
    ) -> None:
        self._ledger = ledger
        self._topic = topic
        self._new_window = new_window
        self._clock = clock
        self._alerts = alerts
        self._connection: Connection | None = None
        self._seq_of: dict[int, int] = {}
        self._pending: deque[Send] = deque()
        self._ahead: dict[int, bytes] = {}
        self._starved = 0
        self._pumping = False
        self._hungry = asyncio.Event()
        self._idle = asyncio.Event()
        self.sent = 0
        self.refused = 0
        self.window: Window
        self.restart()

    def restart(self) -> None:
        """Begin where the ledger stands now: at the start, and in a new epoch."""
        position = self._ledger.position
        self.window = self._new_window(position.acknowledged, position.seq)
        self.window.trimmed(position.trimmed + 1)

    def connect(self, connection: Connection, receive_maximum: int) -> None:
        """A connection is ready for deltas."""
        self._connection = connection
        self._do(self.window.connected(receive_maximum))

    def disconnect(self) -> None:
        """It has ended; what it was asked to carry goes to the next one."""
        self._connection = None
        self._seq_of.clear()
        self._pending.clear()
        self._ahead.clear()
        self._do(self.window.disconnected())

    def committed(self) -> None:
        """The ledger has new deltas."""
        self._idle.clear()
        self._do(self.window.committed(self._ledger.position.seq))

    def trimmed(self) -> None:
        """The ledger has dropped deltas."""
        self._do(self.window.trimmed(self._ledger.position.trimmed + 1))

    def puback(self, token: int, code: int) -> bool:
        """A PUBACK came; False where it is not for a delta."""
        seq = self._seq_of.pop(token, None)
        if seq is None:
            return False
        self._answered(seq, code)
        return True

    @property
    def flowing(self) -> bool:
        """The broker takes what it is given."""
        return self.window.line is Line.FLOWING

    async def drained(self) -> None:
        """Until the broker has taken everything."""
        while self.window.backlog:
            self._idle.clear()
            await self._idle.wait()

    async def run(self) -> None:
        """Read ahead, write acknowledgements, try again after a refusal; until cancelled."""
        due_s = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HOUSEKEEPING_S):
                    await self._hungry.wait()
            # The reading has no time limit: a slow disk would never get to the end of one.
            if self._hungry.is_set():
                self._hungry.clear()
                try:
                    await self._read_ahead()
                except sqlite3.Error as error:
                    text = f"deltas cannot be read from the ledger, tried again: {error}"
                    hint = "look at its disk; tallygate ledger check says whether the file is damaged"
                    self._alerts.raise_(AlertKind.LEDGER_NEAR_LIMIT, "deltas", text, hint)
                    self._hungry.set()
                    await asyncio.sleep(HOUSEKEEPING_S)
                else:
                    self._alerts.clear(AlertKind.LEDGER_NEAR_LIMIT, "deltas")
            now_s = self._clock.monotonic_us() / 1e6
            if now_s >= due_s:
                due_s = now_s + HOUSEKEEPING_S
                await self.save()
                self._do(self.window.tick(now_s))

    async def save(self) -> None:
        """Put on disk how far the broker has acknowledged; a disk that refuses is asked again later."""
        if self.window.acknowledged > self._ledger.position.acknowledged:
            try:
                await self._ledger.commit(Commit(acknowledged=self.window.acknowledged))
            except sqlite3.Error as error:
                log.warning("acknowledgements are not on disk, a restart sends those deltas again: %s", error)

    def _answered(self, seq: int, code: int) -> None:
        self.refused += code >= FIRST_FAILURE_CODE
        self._do(self.window.answered(seq, code, self._clock.monotonic_us() / 1e6))
        if not self.window.backlog:
            self._idle.set()

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case Send():
                    self._pending.append(command)
                case Acked():
                    pass  # `save` asks the window itself, rarely
                case Refused(seq, code):
                    self._alerts.raise_(
                        AlertKind.PUBLISH_REFUSED,
                        "stock/delta",
                        f"the broker refused delta {seq} with 0x{code:02X}; the deltas wait in the ledger",
                        hint_for(code),
                    )
                case Resumed():
                    self._alerts.clear(AlertKind.PUBLISH_REFUSED, "stock/delta")
        self._pump()

    def _pump(self) -> None:
        """Publish what the window has let go, in order, as far as it is in memory."""
        if self._pumping:
            return  # a refusal on the way out led here; the loop below goes on with what it brought
        self._pumping = True
        try:
            self._publish_pending()
        finally:
            self._pumping = False

    def _publish_pending(self) -> None:
        while self._pending and self._connection is not None:
            send = self._pending.popleft()
            for seq in range(send.first, send.last + 1):
                payload = self._ahead.pop(seq, None) or self._ledger.recent(seq)
                if payload is None:
                    self._pending.appendleft(Send(seq, send.last))
                    self._starved = seq
                    self._hungry.set()
                    return
                if not self._publish(seq, payload):
                    if seq < send.last:
                        self._pending.appendleft(Send(seq + 1, send.last))
                    break

    def _publish(self, seq: int, payload: bytes) -> bool:
        """Hand one to the connection; False where it went another way than planned."""
        if self._connection is None:
            return False
        try:
            token = self._connection.publish(self._topic, payload, properties=JSON)
        except PacketTooLargeError:
            # It would end the connection: as good as refused by the broker itself.
            self._answered(seq, Reason.PACKET_TOO_LARGE)
            return False
        except ConnectionEndedError:
            self._connection = None
            return False
        self._seq_of[token] = seq
        self.sent += 1
        return True

    async def _read_ahead(self) -> None:
        """Fetch from the disk what memory does not hold; what is gone there was trimmed and counts as done."""
        first = self._starved
        found = await self._ledger.deltas(first, READ_AHEAD_DELTAS)
        if not self._pending or self._pending[0].first != first:
            return  # the connection has ended meanwhile
        self._ahead = {delta.seq: delta.payload for delta in found}
        oldest = found[0].seq if found else self._ledger.position.seq + 1
        last = self._pending[0].last
        gone = range(first, min(oldest, last + 1))
        self._pending[0] = Send(gone.stop, last)
        for seq in gone:
            self._answered(seq, Reason.SUCCESS)
        self._pump()
