"""What makes one reader differ from another: its capabilities, its clock and its bad habits."""

from dataclasses import dataclass, field

from simulators.llrp.capabilities import Capabilities
from simulators.llrp.names import MessageType


@dataclass(frozen=True, slots=True)
class ReaderClock:
    """A reader's own idea of time; `booted_us` is the true UTC at which its uptime was zero.

    `jumps` are (true UTC, us ahead): somebody sets the clock then.
    """

    offset_us: int = 0
    drift_ppm: float = 0.0
    uptime: bool = False
    booted_us: int = 0
    jumps: tuple[tuple[int, int], ...] = ()

    def stamp(self, now_us: int) -> int:
        """What this clock shows at the true UTC `now_us`, in microseconds."""
        run_us = now_us - self.booted_us
        drifted = self.booted_us + run_us + round(run_us * self.drift_ppm / 1e6)
        set_us = sum(ahead_us for at_us, ahead_us in self.jumps if now_us >= at_us)
        return drifted - self.booted_us if self.uptime else drifted + self.offset_us + set_us


@dataclass(frozen=True, slots=True)
class Flood:
    """Reports made in advance, for measuring what listens; `reads_per_s` None is as fast as the client takes them."""

    reads_per_s: float | None = None
    reports_per_message: int = 20
    tags: int = 1000


@dataclass(frozen=True, slots=True)
class Personality:
    """One reader. The defaults are a well-behaved Impinj R420."""

    capabilities: Capabilities = field(default_factory=Capabilities)
    clock: ReaderClock = field(default_factory=ReaderClock)
    # EUI-64 told as Identification; None tells none (tshark 4 miscounts that parameter, a real reader's too).
    reader_id: bytes | None = None
    # The version in every header: 1 is LLRP 1.0.1.
    header_version: int = 1
    temperature_c: int = 41
    antennas_connected: frozenset[int] = frozenset({1, 2, 3, 4})
    # How long the reader stays on one antenna before it takes the next.
    dwell_us: int = 50_000
    # ROSpecs that an earlier client left behind, enabled and running.
    leftover_rospecs: tuple[int, ...] = ()
    # Once the last AISpec is done, an immediate ROSpec without a stop trigger begins again (as Impinj readers do).
    loops_specs: bool = True
    # Some readers refuse AISpec stop trigger 3.
    knows_tag_observation: bool = True
    # Leave out what an earlier report said already; the standard allows it (section 13.2.3).
    omits_unchanged: bool = False
    # Goes silent this long after a client connected: nothing is read, nothing is sent, the link stays up.
    freezes_after_us: int | None = None
    # Closes the link when this many keepalives in a row were not acknowledged; None: never.
    unacknowledged_keepalives: int | None = None
    # Parameters (their types) that a ROSpec must not hold; `blames` says which of them the refusal names.
    dislikes: frozenset[int] = frozenset()
    blames: bool = True
    # Requests that are refused, whatever they say.
    refuses: frozenset[MessageType] = frozenset()
    # Holding is refused by a reader that says it can.
    refuses_holding: bool = False
    # An event, a keepalive and an empty report, all with the request's own id, come before each answer.
    races_answers: bool = False
    # Raw parameters behind the known ones of each tag report.
    report_trailer: bytes = b""
    # Each observation is told as so many.
    counts_each_as: int = 1
    # An empty RO_ACCESS_REPORT follows each report.
    empty_reports: bool = False
    # Reports that are kept while no client listens; a reader's memory ends somewhere.
    report_buffer_tags: int = 10_000
    flood: Flood | None = None
