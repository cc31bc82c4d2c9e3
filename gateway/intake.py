"""The bounded queues between the readers and the line: under overload the oldest go, counted."""

from collections import deque

from readers.model import InputSample, ReadBatch, WeightSample

# Reads, not batches: some 200 bytes each, so at most 40 MB; at 50,000 reads/s it bridges four seconds.
MAX_WAITING_READS = 200_000
# Values of scales and inputs: eight fast boards of 80 a second fill this in half a minute, some 3 MB.
MAX_WAITING_SAMPLES = 20_000

Sample = WeightSample | InputSample


class Intake:
    """Batches wait here for the line. Neither end ever blocks."""

    def __init__(self, max_reads: int = MAX_WAITING_READS) -> None:
        self._max_reads = max_reads
        self._batches: deque[ReadBatch] = deque()
        self.waiting_reads = 0
        self._samples: deque[Sample] = deque()
        self.dropped: dict[str, int] = {}
        self.dropped_samples = 0

    def put(self, batch: ReadBatch) -> None:
        """Queue a batch; where it does not fit, the oldest make room."""
        self._batches.append(batch)
        self.waiting_reads += len(batch.reads)
        while self.waiting_reads > self._max_reads and len(self._batches) > 1:
            oldest = self._batches.popleft()
            self.waiting_reads -= len(oldest.reads)
            self.dropped[oldest.reader] = self.dropped.get(oldest.reader, 0) + len(oldest.reads)

    def take(self) -> ReadBatch | None:
        """The oldest batch, None where there is none."""
        if not self._batches:
            return None
        batch = self._batches.popleft()
        self.waiting_reads -= len(batch.reads)
        return batch

    def put_sample(self, sample: Sample) -> None:
        """Queue a value of a shelf; where there is no room the oldest goes."""
        if len(self._samples) >= MAX_WAITING_SAMPLES:
            self._samples.popleft()
            self.dropped_samples += 1
        self._samples.append(sample)

    def take_samples(self) -> deque[Sample]:
        """All values that wait, oldest first."""
        samples, self._samples = self._samples, deque()
        return samples
