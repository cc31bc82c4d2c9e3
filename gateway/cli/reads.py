"""`tallygate reads`: what is read just now, line by line."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.api import DEFAULT_HTTP, HttpOption, TimeoutOption
from gateway.cli.output import ExitCode, JsonOption, fail, print_json
from gateway.cli.stream import run_until_stopped, stream
from gateway.domain.epctext import EpcTextError, identity_of, parse_item
from gateway.domain.items import Identity
from gateway.payloads import rfc3339
from gateway.trace.capture import EntryReader, Session
from readers.model import NO_RSSI_DBM, RawRead, ReadBatch


def reads(
    item: Annotated[
        str | None, typer.Option(metavar="ITEM", help="Only this item: its EPC, urn:epc:id:sgtin:..., or GTIN+SERIAL.")
    ] = None,
    reader: Annotated[str | None, typer.Option(help="Only this reader.")] = None,
    antenna: Annotated[int | None, typer.Option(min=1, help="Only this antenna port.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; without it: until Ctrl-C.")] = None,
    http: HttpOption = DEFAULT_HTTP,
    timeout: TimeoutOption = 5.0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Shows the reads of the gateway that runs here, as they come: time, antenna, strength, EPC, how many."""
    try:
        wanted = None if item is None else parse_item(item)
    except EpcTextError as error:
        fail(ExitCode.USAGE, str(error), error.hint)
    show = _Show(wanted, reader, antenna, count, as_json=as_json)
    asyncio.run(run_until_stopped(show.run(http, timeout), seconds))


class _Show:
    def __init__(
        self,
        wanted: bytes | Identity | None,
        reader: str | None,
        antenna: int | None,
        count: int | None,
        *,
        as_json: bool,
    ) -> None:
        self._wanted = wanted
        self._identities: dict[bytes, Identity | None] = {}
        self._reader, self._antenna, self._left = reader, antenna, count
        self._as_json = as_json

    async def run(self, address: str, timeout_s: float) -> None:
        entries = EntryReader()
        async with aclosing(stream(address, timeout_s)) as contents:
            async for content in contents:
                for entry in entries.entries(content):
                    if isinstance(entry, Session):
                        self._check(entry)
                    elif isinstance(entry, ReadBatch) and self._reader in {None, entry.reader}:
                        self._show(entry)
                    if self._left == 0:
                        return

    def _check(self, session: Session) -> None:
        """Ends the verb where the daemon has no such reader: nothing would ever come."""
        known = {str(reader) for reader, *_ in session.about["layout"]["antennas"]}
        if self._reader is not None and self._reader not in known:
            names = ", ".join(sorted(known))
            fail(ExitCode.FINDING, f"the daemon has no reader {self._reader!r} with antennas", f"it has {names}")

    def _show(self, batch: ReadBatch) -> None:
        for read in batch.reads:
            if self._left == 0:
                return
            if self._antenna in {None, read[1]} and self._is_wanted(read[0]):
                if self._as_json:
                    print_json(_as_json(batch, read))
                else:
                    print(_as_text(batch, read), flush=True)
                if self._left is not None:
                    self._left -= 1

    def _is_wanted(self, epc: bytes) -> bool:
        if self._wanted is None or self._wanted == epc:
            return True
        return isinstance(self._wanted, Identity) and identity_of(epc) == self._wanted


def _as_json(batch: ReadBatch, read: RawRead) -> dict[str, Any]:
    epc, antenna, dbm, first_us, last_us, count = read
    item = identity_of(epc)
    return {
        "received": rfc3339(batch.received_us),
        "first": rfc3339(first_us),
        "last": rfc3339(last_us),
        "reader": batch.reader,
        "antenna": antenna,
        "epc": epc.hex().upper(),
        "gtin": None if item is None else item.gtin,
        "serial": None if item is None else item.serial,
        "rssi_dbm": None if dbm == NO_RSSI_DBM else dbm,
        "count": max(count, 1),
    }


def _as_text(batch: ReadBatch, read: RawRead) -> str:
    epc, antenna, dbm, _, last_us, count = read
    at = datetime.fromtimestamp(last_us / 1e6, tz=UTC).strftime("%H:%M:%S.%f")[:-3]
    strength = "" if dbm == NO_RSSI_DBM else f"{dbm} dBm"
    times = f" x{count}" if count > 1 else ""
    return f"{at}  {batch.reader}:{antenna:<3}  {strength:>8}  {epc.hex().upper()}{times}"
