"""redrcp, whose frames begin as an M100's do: none of them is taken for one, and the protocol is named."""

from readers.m100.session import Session
from readers.m100.settings import M100Settings, Region
from readers.m100.wire import FrameBuffer
from readers.port.settings import PortSettings
from tests.interop.peers import command, environment
from tests.interop.stage import ran

PEER = "redrcp"
PROGRAM = command(PEER, "redrcp_frames.py", runner=True)


async def test_its_frames_are_told_apart() -> None:
    status, said = await ran(PROGRAM, environment(PEER))
    assert status == 0, said
    frames = [bytes.fromhex(line) for line in said.split()]
    assert len(frames) == 4
    buffer = FrameBuffer()
    assert buffer.feed(b"".join(frames)) == []
    assert (buffer.foreign_frames, buffer.junk_bytes) == (4, 0)
    session = Session("r", M100Settings(PortSettings("/dev/x"), (1,), Region.EU, 20.0))
    session.start(0)
    session.receive(frames[0], 1000)
    assert session.fault is not None
    assert session.fault.kind == "not_m100"
