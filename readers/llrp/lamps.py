"""A reader's outputs as a session keeps them: what they should show, and what they were told. Pure."""

from collections.abc import Iterable

from readers.llrp.settings import Output, OutputUse


class Lamps:
    """Dark at first; only what was configured, or asked for, is ever touched."""

    def __init__(self, outputs: Iterable[Output]) -> None:
        outputs = list(outputs)
        self._wanted = {output.port: False for output in outputs}
        self._reading = [output.port for output in outputs if output.on is OutputUse.READING]
        self._shown: dict[int, bool] = {}

    def show(self, port: int, *, high: bool) -> None:
        """One of them, from now on."""
        self._wanted[port] = high

    def show_reading(self, *, reading: bool) -> None:
        """Those that say whether the reader is at work."""
        self._wanted |= dict.fromkeys(self._reading, reading)

    def darken(self) -> None:
        """All of them: we are leaving."""
        self._wanted = dict.fromkeys(self._wanted, False)

    def take_changes(self) -> dict[int, bool]:
        """Port -> high, where it is not what was told last."""
        changed = {port: high for port, high in self._wanted.items() if self._shown.get(port) is not high}
        self._shown |= changed
        return changed
