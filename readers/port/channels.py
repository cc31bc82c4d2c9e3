"""The channels of a device that measures: which of them live, and the reader's state that tells it. Pure."""

from collections.abc import Iterable

from readers.model import AntennaCondition, Fault, ReaderCondition, ReaderState


class Channels:
    """Of one connection. A channel is up while it is heard, and down after `silence_us` without a word.

    The reader is reading once each channel has spoken or was silent for so long: until then nobody relies on it.
    """

    def __init__(self, reader: str, address: str, channels: Iterable[int], silence_us: int) -> None:
        self.model = ""
        self.firmware = ""
        self.temperature_c: float | None = None
        self.condition = ReaderCondition.CONNECTING
        self._reader = reader
        self._address = address
        self._silence_us = silence_us
        self._conditions = dict.fromkeys(channels, AntennaCondition.UNKNOWN)
        self._heard_us: dict[int, int] = {}
        self._told: tuple[object, ...] = ()

    def connect(self, now_us: int) -> None:
        """The device is there; from now on its channels are awaited."""
        self.condition = ReaderCondition.CONNECTED
        self._heard_us = dict.fromkeys(self._conditions, now_us)

    def heard(self, channel: int, now_us: int) -> bool:
        """It has said something that makes sense; False: it is none of ours."""
        before = self._conditions.get(channel)
        if before is None:
            return False
        self._heard_us[channel] = now_us
        if before is not AntennaCondition.UP:
            self._conditions[channel] = AntennaCondition.UP
            self._judge()
        return True

    def tick(self, now_us: int) -> None:
        """Judge the silence of each."""
        due_us = self.deadline_us
        if due_us is None or now_us < due_us:
            return
        for channel, heard_us in self._heard_us.items():
            if now_us - heard_us >= self._silence_us:
                self._conditions[channel] = AntennaCondition.DOWN
        self._judge()

    def _judge(self) -> None:
        """Is the reader as a whole reading?"""
        if AntennaCondition.UNKNOWN not in self._conditions.values() and not self.all_down:
            self.condition = ReaderCondition.READING

    @property
    def all_down(self) -> bool:
        """Nothing of it speaks any more."""
        return all(condition is AntennaCondition.DOWN for condition in self._conditions.values())

    def is_down(self, channel: int) -> bool:
        return self._conditions[channel] is AntennaCondition.DOWN

    @property
    def deadline_us(self) -> int | None:
        """When the next one has been silent for too long; None: none is awaited."""
        awaited = [heard for channel, heard in self._heard_us.items() if not self.is_down(channel)]
        return min(awaited) + self._silence_us if awaited else None

    def news(self) -> list[ReaderState]:
        """The state, if it is another one than was told last."""
        now = (self.condition, self.model, self.firmware, self.temperature_c, *self._conditions.values())
        if now == self._told:
            return []
        self._told = now
        return [self.state(self.condition)]

    def state(self, condition: ReaderCondition, fault: Fault | None = None) -> ReaderState:
        """The reader as a whole."""
        return ReaderState(
            self._reader,
            condition,
            address=self._address,
            model=self.model,
            firmware=self.firmware,
            antennas=dict(self._conditions),
            fault=fault,
            temperature_c=self.temperature_c,
        )
