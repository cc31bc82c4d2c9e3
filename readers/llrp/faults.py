"""What can be wrong with an LLRP reader, in words for a person. Pure."""

from readers.llrp.answers import BUFFER_FULL_PERCENT
from readers.llrp.control import Answer, ConnectionStatus
from readers.llrp.wire import FrameError, MessageType
from readers.model import Fault

CLOSED_BY_READER = Fault(
    "link_lost", "the reader closed the connection", "it restarts, or was told to; see its own log"
)


def refused(address: str) -> Fault:
    """Nothing listens there."""
    return Fault("refused", f"{address} refuses the connection", "is the reader on, and LLRP enabled on this port?")


def unreachable(address: str, error: OSError) -> Fault:
    """No way to get there."""
    text = error.strerror or str(error)
    return Fault("unreachable", f"{address} cannot be reached: {text}", "check the address, cable and route")


def no_connection(address: str, timeout_s: float) -> Fault:
    """Nothing came back at all."""
    text = f"{address} did not accept a connection within {timeout_s:g} s"
    return Fault("timeout", text, "is the reader on, and its address right?")


def link_lost(error: Exception | None, pending_bytes: int) -> Fault:
    """The connection ended under way."""
    how = f": {error}" if error is not None else ""
    where = f" inside a frame ({pending_bytes} bytes of it had come)" if pending_bytes else ""
    return Fault("link_lost", f"the connection broke{where}{how}", "check cable, switch and the reader's power")


def unread_output(unsent_bytes: int) -> Fault:
    """The peer has stopped to read."""
    return Fault("link_lost", f"the reader leaves {unsent_bytes} bytes unread", "restart the reader")


def not_understood(error: FrameError) -> Fault:
    """The stream itself is none, or no longer one."""
    kind = "frame_error" if type(error) is FrameError else "not_llrp"
    return Fault(kind, f"{error.text} [{error.evidence.hex()}]", error.hint)


def undecodable(error: FrameError) -> Fault:
    """One frame that makes no sense; the stream goes on."""
    return Fault("frame_error", f"{error.text} [{error.evidence.hex()}]", error.hint)


def bad_report(text: str, evidence: bytes) -> Fault:
    """Reads behind this point of a report are lost."""
    hint = "a newer firmware, or a kind of report that this version does not know; a capture shows it"
    return Fault("frame_error", f"a report cannot be read on: {text} [{evidence.hex()}]", hint)


def stray(kind: int, message_id: int, words: str = "") -> Fault:
    """A message that answers nothing; `words` is what it says."""
    name = MessageType(kind).name if kind in set(MessageType) else f"message of type {kind}"
    said = f": {words}" if words else ""
    text = f"{name} {message_id} answers nothing that was asked{said}"
    return Fault("stray_message", text, "harmless if it is rare")


def turned_away(status: ConnectionStatus | None) -> Fault:
    """The reader accepts the socket, but no session on it."""
    if status in {ConnectionStatus.CLIENT_INITIATED_EXISTS, ConnectionStatus.READER_INITIATED_EXISTS}:
        return Fault(
            "already_connected",
            "the reader is already connected to another client",
            "end the other client; after a cut link a reader may need minutes to notice that it is gone",
        )
    return Fault("rejected", "the reader refuses the connection", "restart the reader, and see its own log")


def rejected(answer: Answer, max_rospecs: int) -> Fault:
    """Something indispensable was refused, with the reader's own reason."""
    text = f"the reader answers {answer.kind.name}: {answer.status}"
    if answer.kind is MessageType.ADD_ROSPEC_RESPONSE and max_rospecs == 1:
        hint = "it has room for one ROSpec: if another client's is in the way, restart the reader"
    else:
        hint = "compare this reader's settings with what its manual allows"
    return Fault("rejected", text, hint)


def refused_setting(answer: Answer) -> Fault:
    """Something dispensable was refused."""
    return Fault("refused_setting", f"{answer.kind.name}: {answer.status}", "reading goes on without it")


def left_out(keys: str) -> Fault:
    """What an inventory does without, after the reader has refused it."""
    text = f"the reader takes our inventory only without {keys}: that is left to the reader"
    return Fault("refused_setting", text, "compare these settings with what its manual allows, or remove them")


def overdue(awaited: str) -> Fault:
    """Connected, and then nothing."""
    return Fault("timeout", f"{awaited} did not come in time", "the reader is busy or hangs; restart it")


def silent(silence_s: float) -> Fault:
    """Neither reads nor keepalives any more."""
    text = f"nothing was heard from the reader for {silence_s:.1f} s, keepalives included"
    return Fault("silent", text, "the reader hangs, or the network drops its packets")


def clock_jump(by_us: int) -> Fault:
    """The reader's clock was set."""
    text = f"the reader's clock jumped {abs(by_us) / 1e6:.1f} s {'ahead' if by_us > 0 else 'back'}"
    return Fault("clock_jump", text, "give the reader an NTP server; reads are dated by the new clock from now on")


def reader_exception(text: str) -> Fault:
    """The reader's own words."""
    return Fault("reader_exception", text, "see the reader's own log")


def reader_buffer(percent: int) -> Fault:
    """The reader cannot get rid of its reports."""
    if percent >= BUFFER_FULL_PERCENT:
        hint = "the link was down for longer than it can remember, or is too slow; see the network and its settings"
        return Fault("reader_overflow", "the reader's report buffer was full: it has dropped reads", hint)
    text = f"the reader's report buffer is {percent} % full"
    return Fault("reader_buffer", text, "the link or the gateway is too slow for it; at 100 % reads are lost")


def hot(celsius: float) -> Fault:
    """It will soon protect itself, or break."""
    text = f"the reader is {celsius:g} °C warm inside"
    hint = "give it air, or less to do (power_dbm, duty_percent): a hot reader sends less, stops, and ages"
    return Fault("reader_hot", text, hint)


def preempted(rospec_id: int, by: int) -> Fault:
    """Somebody else's inventory has taken over."""
    text = f"ROSpec {rospec_id} was preempted by ROSpec {by}"
    return Fault("preempted", text, "another program uses this reader; a reader serves one client: find the other")


def clock_wrong(offset_ms: float) -> Fault:
    """The reader's UTC is none; reads are dated right all the same."""
    off_s = abs(offset_ms) / 1000
    said = f"{off_s / 86_400:.0f} days" if off_s > 2 * 86_400 else f"{off_s / 3600:.1f} h"
    text = f"the reader's clock is {said} {'ahead' if offset_ms > 0 else 'behind'}"
    return Fault(
        "clock_wrong", text, "reads are dated right all the same; give it an NTP server for its own log's sake"
    )


STOPPED = Fault(
    "stopped", "the reader has ended our inventory by itself", "another program may use it, or a person its web page"
)

REBOOTED = Fault(
    "rebooted",
    "the reader has forgotten our inventory: it was restarted, or emptied by another client",
    "if nobody did that, see its power and its log; what it read meanwhile is lost",
)


RIVAL_CLIENT = Fault(
    "rival_client", "another client tried to connect to this reader", "a reader serves one client; find the other"
)
