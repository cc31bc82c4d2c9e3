"""What readers say, sorted for those who look at it."""

import itertools

from readers.model import (
    InputSample,
    ReadBatch,
    ReaderCondition,
    ReaderEvent,
    ReaderNotice,
    ReaderState,
    WeightSample,
)


class Said:
    """All events in their order, and those of each kind."""

    def __init__(self) -> None:
        self.events: list[ReaderEvent] = []

    @property
    def batches(self) -> list[ReadBatch]:
        return [event for event in self.events if isinstance(event, ReadBatch)]

    @property
    def weights(self) -> list[WeightSample]:
        return [event for event in self.events if isinstance(event, WeightSample)]

    @property
    def inputs(self) -> list[InputSample]:
        return [event for event in self.events if isinstance(event, InputSample)]

    @property
    def states(self) -> list[ReaderState]:
        return [event for event in self.events if isinstance(event, ReaderState)]

    @property
    def notices(self) -> list[ReaderNotice]:
        return [event for event in self.events if isinstance(event, ReaderNotice)]

    @property
    def conditions(self) -> list[ReaderCondition]:
        """As they changed: a reader tells of other things too."""
        return [condition for condition, _ in itertools.groupby(state.condition for state in self.states)]

    def seen(self) -> set[tuple[bytes, int]]:
        """(EPC, antenna) of all reads."""
        return {(read[0], read[1]) for batch in self.batches for read in batch.reads}
