"""What a running daemon's readers say, as it comes: the stream behind `/api/capture`."""

import asyncio
import http.client
import json
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any

from gateway.cli.api import RefusedError, address_of, refused, unreachable
from gateway.cli.output import ExitCode, fail
from gateway.trace.capture import BlockReader, CaptureError
from gateway.trace.recorder import ALIVE_S

# Silence is told by the daemon itself; after this many times of it the daemon has gone.
SILENT_S = 3 * ALIVE_S
# An answer's head is a few hundred bytes.
MAX_HEAD_BYTES = 16_384
PORTION_BYTES = 65_536


async def stream(address: str, timeout_s: float) -> AsyncGenerator[bytes, None]:
    """The contents of the daemon's blocks, until it ends. Ends the verb where none answers or it falls silent."""
    host, port = address_of(address)
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=MAX_HEAD_BYTES)
            # HTTP/1.0: what follows the head is the stream itself, to the end of the connection.
            writer.write(f"GET /api/capture HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await _check(head, reader)
        blocks = BlockReader()
        while True:
            async with asyncio.timeout(SILENT_S):
                data = await reader.read(PORTION_BYTES)
            if not data:
                return
            for content in blocks.feed(data):
                yield content
    except RefusedError as error:
        refused(address, error)
    except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError) as error:
        unreachable(address, error)
    except CaptureError as error:
        fail(ExitCode.UNREACHABLE, f"what answers on {address}: {error}", "name the http.listen of a tallygate")
    finally:
        if writer is not None:
            writer.close()


async def _check(head: bytes, reader: asyncio.StreamReader) -> None:
    """Raises RefusedError, or CaptureError where this is no tallygate."""
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise CaptureError("it speaks no HTTP", "")
    if int(words[1]) != http.client.OK:
        try:
            answer = json.loads(await reader.read(PORTION_BYTES))
        except ValueError:
            answer = None
        raise RefusedError(int(words[1]), answer)


async def run_until_stopped(work: Coroutine[Any, Any, None], seconds: float | None) -> bool:
    """Run `work` until the time is over, or Ctrl-C or SIGTERM comes. True where it ended before, by itself."""
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None, "a coroutine runs in a task"
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this.cancel)
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(seconds):
            await work
            return True
    return False
