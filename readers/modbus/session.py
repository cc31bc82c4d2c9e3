"""One connection to a Modbus line: its devices asked in turn, one request on the wire at a time. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.modbus import faults
from readers.modbus.codec import Answer, ExceptionCode, Function, Query, RtuCodec, TcpCodec
from readers.modbus.profiles import celsius_of, identity_of, identity_query_of, query_of, weight_of
from readers.modbus.settings import WEIGHING, ModbusChannel, ModbusSettings, Profile
from readers.model import Fault, InputSample, WeightCondition, WeightSample
from readers.port import faults as port_faults
from readers.port.measuring import MeasuringSession

GAP_BITS: Final = 3.5 * 11
SHORTEST_GAP_US: Final = 1750
"""Silence before a frame: 3.5 characters, and 1.75 ms above 19200 baud (MODBUS over Serial Line 2.5.1.1)."""

FIRST_PAUSE_US: Final = 500_000
LONGEST_PAUSE_US: Final = 5_000_000
"""A device that does not answer is asked again after a pause that doubles: its silence costs the others ever less. The
first pause is longer than an answer can be late, so that no answer is taken for that to a later request."""

MUTE_AFTER: Final = 2
"""A device that answers all but the function that tells what it is, is asked so often for that: one may be lost."""

MAX_INPUT_SPAN: Final = 256
"""Inputs of one device that lie so close are read together."""

PAUSING: Final = frozenset({ExceptionCode.GATEWAY_PATH, ExceptionCode.GATEWAY_TARGET})
"""A gateway's words for a device that does not answer."""

WAITING: Final = frozenset({ExceptionCode.ACKNOWLEDGE, ExceptionCode.BUSY})


@dataclass(slots=True)
class _Poll:
    """One query, the channels that live by it, when it is due, and how often in a row nothing came back.

    `identifies`: it asks which device this is; nothing else is asked of it until that is known.
    """

    query: Query
    channels: list[ModbusChannel]
    due_us: int = 0
    failures: int = 0
    identifies: bool = False
    # Debouncing: input address -> the value that was seen last, and the one that was seen twice in a row.
    seen: dict[int, bool] = field(default_factory=dict)
    settled: dict[int, bool] = field(default_factory=dict)


def plan(devices: Iterable[ModbusChannel]) -> list[_Poll]:
    """The queries that tell of all `devices`, each once."""
    polls: dict[tuple[int, Function, int, int], _Poll] = {}
    for channel in sorted(devices, key=lambda one: (one.slave, one.address or 0)):
        query = query_of(channel)
        if query.function is Function.READ_DISCRETE_INPUTS:
            joined = _joined(query, polls.values())
            if joined is not None:
                joined.channels.append(channel)
                joined.query = Query(
                    query.slave, query.function, joined.query.address, query.address - joined.query.address + 1
                )
                continue
        key = (query.slave, query.function, query.address, query.count)
        polls.setdefault(key, _Poll(query, [])).channels.append(channel)
    return [*_identifying(devices), *polls.values()]


def _identifying(devices: Iterable[ModbusChannel]) -> list[_Poll]:
    """The queries that tell which devices these are, one for each: by registers, where any channel knows of some."""
    polls: dict[int, _Poll] = {}
    for channel in devices:
        query = identity_query_of(channel)
        if channel.slave not in polls or query.function is not Function.READ_DEVICE_IDENTIFICATION:
            polls[channel.slave] = _Poll(query, [channel], identifies=True)
    return list(polls.values())


def _joined(query: Query, polls: Iterable[_Poll]) -> _Poll | None:
    """The poll whose inputs are so near that these can be read with them."""
    for poll in polls:
        same = (poll.query.slave, poll.query.function) == (query.slave, query.function)
        if same and query.address - poll.query.address < MAX_INPUT_SPAN:
            return poll
    return None


class ModbusSession(MeasuringSession):
    """One connection; see readers.port.link.Session.

    `known` is what each slave called itself before; another one under its address is not used. Few devices know the
    function that tells ("" in `known`: it does not), and some do not even refuse it: one whose profile has no registers
    for that is asked once it has shown that it is there.
    """

    def __init__(
        self, reader: str, settings: ModbusSettings, baudrate: int, known: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(reader, settings.address, settings.channels, settings.silence_s)
        # What each slave has said it is, once it has.
        self.identities = dict(known or {})
        self._settings = settings
        self._codec: RtuCodec | TcpCodec = TcpCodec() if settings.is_tcp else RtuCodec()
        self._polls = plan(settings.devices)
        tells = [poll.query for poll in self._polls if poll.identifies and self.identities.get(poll.query.slave) != ""]
        self._by_registers = {
            query.slave for query in tells if query.function is not Function.READ_DEVICE_IDENTIFICATION
        }
        self._by_function = {query.slave for query in tells} - self._by_registers
        # Of whom it is not known, or not known any more, which device it is: those that are asked for it next, and
        # those that have to show first that they are there. And whose is another one.
        self._unnamed = set(self._by_registers)
        self._unseen = set(self._by_function)
        self._strange: dict[int, Fault] = {}
        self._gap_us = 0 if settings.is_tcp else max(SHORTEST_GAP_US, round(GAP_BITS / baudrate * 1e6))
        self._asked: _Poll | None = None
        self._until_us = 0
        self._free_us = 0
        self._down: set[int] = set()

    def start(self, now_us: int) -> None:
        self.now_us = now_us
        self.channels.connect(now_us)
        for poll in self._polls:
            poll.due_us = now_us
        self._ask()

    def receive(self, data: bytes, now_us: int) -> None:
        self.now_us = now_us
        asked = self._asked
        answer = self._codec.answer(data, None if asked is None else asked.query)
        if answer is not None and asked is not None:
            self._asked = None
            self._free_us = now_us + self._gap_us
            self._take(asked, answer)
        if isinstance(self._codec, TcpCodec) and self._codec.broken:
            self.end(faults.not_modbus(self._settings.address))
        self._count_junk()
        self._go_on()

    def tick(self, now_us: int) -> None:
        self.now_us = now_us
        if self._asked is not None and now_us >= self._until_us:
            self._fail(self._asked)
            self._asked = None
        self._go_on()

    def close(self, now_us: int) -> None:
        self.now_us = now_us
        self.is_over = True

    @property
    def deadline_us(self) -> int | None:
        due_us = self._until_us if self._asked is not None else max(self._free_us, self._next.due_us)
        silent_us = self.channels.deadline_us
        return due_us if silent_us is None else min(due_us, silent_us)

    def _go_on(self) -> None:
        if self.is_over:
            return
        self.channels.tick(self.now_us)
        self._judge_slaves()
        if self.channels.all_down:
            silent = port_faults.silent(self._settings.address, self._settings.silence_s)
            self.end(next(iter(self._strange.values()), silent))
        else:
            self._ask()

    @property
    def _next(self) -> _Poll:
        """The query that has been due for longest; of a slave without a name, the one that asks for it."""
        asking = (poll for poll in self._polls if poll.identifies == (poll.query.slave in self._unnamed))
        return min(asking, key=lambda one: one.due_us)

    def _ask(self) -> None:
        """What is due, if the line is free."""
        if self._asked is not None or self.now_us < self._free_us:
            return
        poll = self._next
        if poll.due_us > self.now_us:
            return
        # From when it was due: a busy line loses no turn, and a late one does not catch up.
        poll.due_us = max(poll.due_us + round(self._settings.poll_s * 1e6), self.now_us)
        self.send(self._codec.request(poll.query))
        self._asked = poll
        self._until_us = self.now_us + round(self._settings.timeout_s * 1e6)

    def _fail(self, poll: _Poll) -> None:
        """Nothing came back in time, or a gateway says so."""
        slave = poll.query.slave
        if poll.identifies and slave in self._by_function:
            poll.failures += 1
            if poll.failures >= MUTE_AFTER:
                self._name(poll, "")  # it is there: only this it does not answer
            return
        pause_us = min(LONGEST_PAUSE_US, FIRST_PAUSE_US << min(poll.failures, 8))
        poll.failures += 1
        # Whoever answers next under this address may be another one.
        self._unnamed |= self._by_registers & {slave}
        self._unnamed -= self._by_function & {slave}
        self._unseen |= self._by_function & {slave}
        for other in self._polls:
            if other.query.slave == slave:
                other.due_us = max(other.due_us, self.now_us + pause_us)

    def _take(self, poll: _Poll, answer: Answer) -> None:
        if answer.exception in PAUSING:
            self._fail(poll)
            return
        poll.failures = 0
        if poll.identifies:
            self._identify(poll, answer)
            return
        if poll.query.slave in self._unseen:
            self._meet(poll)
            return
        busy = answer.exception in WAITING
        if answer.exception is not None and not busy:
            self.notices.note(faults.refused(poll.query, answer.exception))
        for channel in poll.channels:
            self.channels.heard(channel.channel, self.now_us)
            if answer.exception is not None:
                self._tell_trouble(channel, WeightCondition.BUSY if busy else WeightCondition.FAULT)
            elif channel.profile in WEIGHING:
                condition, grams = weight_of(channel, answer.registers)
                self.tell(WeightSample(self.reader, channel.channel, self.now_us, condition, grams))
            elif channel.profile is Profile.TEMPERATURE:
                self._tell_input(channel, celsius_of(channel, answer.registers[0]))
            else:
                self._debounce(poll, channel, answer.inputs)

    def _identify(self, poll: _Poll, answer: Answer) -> None:
        """Which device is this? One that has never told is as good as one that cannot."""
        slave = poll.query.slave
        poll.due_us = self.now_us
        if answer.exception in WAITING:
            poll.due_us += round(self._settings.poll_s * 1e6)
            for channel in (each for each in self._settings.devices if each.slave == slave):
                self.channels.heard(channel.channel, self.now_us)
                self._tell_trouble(channel, WeightCondition.BUSY)
            return
        self._name(poll, identity_of(poll.channels[0], answer) if answer.exception is None else "")

    def _meet(self, poll: _Poll) -> None:
        """It is there; before what it says is used, it is asked which device it is."""
        slave = poll.query.slave
        self._unseen.discard(slave)
        self._unnamed.add(slave)
        poll.due_us = self.now_us
        for channel in (each for each in self._settings.devices if each.slave == slave):
            self.channels.heard(channel.channel, self.now_us)
        for other in self._polls:
            if other.identifies and other.query.slave == slave:
                other.due_us = self.now_us

    def _name(self, poll: _Poll, found: str) -> None:
        """It has said what it is ("": nothing), and is used if that is what it said before."""
        slave = poll.query.slave
        poll.failures = 0
        if found or slave in self._by_function:
            expected = self.identities.setdefault(slave, found)
            if found != expected:
                poll.due_us = self.now_us + LONGEST_PAUSE_US
                place = f"slave {slave} of {self._settings.address}"
                self._strange[slave] = port_faults.another_device(place, expected, found or "nothing of itself")
                self.notices.note(self._strange[slave], once=True)
                return
        self._unnamed.discard(slave)
        if not found:
            self._by_function.discard(slave)
        self._strange.pop(slave, None)

    def _debounce(self, poll: _Poll, channel: ModbusChannel, inputs: tuple[bool, ...]) -> None:
        """An input is believed when it was seen twice in a row; until then it is what it was."""
        address = channel.address or 0
        value = inputs[address - poll.query.address]
        if poll.seen.get(address) == value:
            poll.settled[address] = value
        poll.seen[address] = value
        if address in poll.settled:
            self._tell_input(channel, float(poll.settled[address]))

    def _tell_input(self, channel: ModbusChannel, value: float | None) -> None:
        self.tell(InputSample(self.reader, channel.channel, self.now_us, value))

    def _tell_trouble(self, channel: ModbusChannel, condition: WeightCondition) -> None:
        if channel.profile in WEIGHING:
            self.tell(WeightSample(self.reader, channel.channel, self.now_us, condition))
        else:
            self._tell_input(channel, None)

    def _judge_slaves(self) -> None:
        """A device that falls silent is told once; its inputs cannot be told any more."""
        for channel in self._settings.devices:
            number = channel.channel
            if self.channels.is_down(number) and number not in self._down:
                self._down.add(number)
                if channel.slave not in self._strange:
                    self.notices.note(faults.slave_down(channel.slave, self._settings.silence_s), once=True)
                if channel.profile not in WEIGHING:
                    self._tell_input(channel, None)
            elif not self.channels.is_down(number):
                self._down.discard(number)

    def _count_junk(self) -> None:
        if self._codec.junk_bytes:
            self.notices.note(faults.noise(self._codec.junk_bytes))
            self._codec.junk_bytes = 0
