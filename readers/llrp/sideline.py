"""What a session asks beside the way to reading, where nothing waits for the answers. Pure.

Signal lamps, the vendor's extensions, the temperature, and reports that have gathered for too long.
"""

from typing import Final

from readers.llrp.clock import SECOND_US
from readers.llrp.control import (
    Answer,
    Capabilities,
    EnableExtensions,
    GetReport,
    GetTemperature,
    Request,
    SetOutputs,
)
from readers.llrp.extensions import has_extensions, unsupported, wants_extensions
from readers.llrp.lamps import Lamps
from readers.llrp.outbox import Outbox
from readers.llrp.settings import LlrpSettings
from readers.llrp.wire import MessageType
from readers.model import Fault

TEMPERATURE_EVERY_US: Final = 60 * SECOND_US
"""A reader warms up over minutes."""

GATHERED_EVERY_US: Final = SECOND_US
"""A reader that waits for N tag reports waits for ever where fewer tags are in view: then it is asked for what it has.
Presence is judged in seconds."""


class Sideline:
    """What is due, what was answered. `settings` say what people have asked for."""

    def __init__(self, settings: LlrpSettings, outbox: Outbox, now_us: int) -> None:
        self.lamps = Lamps(settings.outputs)
        self._settings = settings
        self._outbox = outbox
        self._extended = False
        self._heat_due_us = now_us
        self._gathered_due_us = now_us

    def meet(self, device: Capabilities) -> Fault | None:
        """The device is known; what it cannot do of what was asked for."""
        if has_extensions(device):
            self._outbox.aside(EnableExtensions())
        return unsupported(self._settings, device)

    @property
    def due_us(self) -> int | None:
        """When `tick` has something to do, while the reader is at work."""
        due = [
            self._heat_due_us if self._extended else None,
            self._gathered_due_us if self._gathers else None,
        ]
        return min((moment for moment in due if moment is not None), default=None)

    @property
    def _gathers(self) -> bool:
        return self._settings.report_every_tags > 1

    def tick(self, now_us: int) -> None:
        """Ask for what is due."""
        if self._extended and now_us >= self._heat_due_us:
            self._heat_due_us = now_us + TEMPERATURE_EVERY_US
            self._outbox.aside(GetTemperature())
        if self._gathers and now_us >= self._gathered_due_us:
            self._gathered_due_us = now_us + GATHERED_EVERY_US
            self._outbox.send(GetReport())

    def light(self) -> None:
        """Bring the outputs to what they should show."""
        changed = self.lamps.take_changes()
        if changed:
            self._outbox.aside(SetOutputs(changed))

    def learn(self, answer: Answer) -> None:
        """An aside was answered."""
        if answer.kind is MessageType.CUSTOM_MESSAGE:
            self._extended = True

    def refused(self, request: Request) -> bool:
        """It is not asked again; whether that is worth a word: what nobody has asked for is missed by nobody."""
        if isinstance(request, GetTemperature):
            self._extended = False
            return False
        return not isinstance(request, EnableExtensions) or wants_extensions(self._settings)
