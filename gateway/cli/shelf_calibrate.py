"""The dialogue of `tallygate shelf calibrate`: the empty bin first, then fills that somebody has counted."""

import asyncio
import sys
from dataclasses import asdict, replace
from threading import Thread
from typing import Any

import typer

from config.effective import Config, Reader
from gateway.cli.output import ExitCode, columns, complain, fail, print_json
from gateway.cli.shelf_reading import Samples, listen
from gateway.domain.calibration import Fill, Learnt, Measurement, Scale, learn, verdict
from gateway.domain.params import Bin, Sensor, ShelfParams
from gateway.tasks import beside
from readers.modbus.settings import ModbusSettings
from readers.model import WeightSample
from readers.scales.settings import ScaleSettings

# How many pieces at least make a mean that counts a shelf.
ENOUGH_PIECES = 10


def calibrate(config: Config, place: str, timeout_s: float, *, as_json: bool) -> None:
    """Learn the bin or channel at `place`, and print what to put into the configuration."""
    reader, channel, known = _find(config, place)
    try:
        asyncio.run(_Dialogue(reader, channel, known, timeout_s, as_json=as_json).run())
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.FINDING) from None


def _find(config: Config, place: str) -> tuple[Reader, int, Bin | None]:
    name, _, number = place.rpartition(":")
    readers = {reader.id: reader for reader in config.readers}
    weighing = [reader for reader in config.readers if isinstance(reader.settings, ScaleSettings | ModbusSettings)]
    places = [f"{reader.id}:{channel}" for reader in weighing for channel in reader.antennas]
    if place not in places:
        fail(ExitCode.USAGE, f"no channel {place!r}", f"one of {', '.join(places) or 'none: name a reader first'}")
    bins = [each for each in config.bins if (each.reader, each.channel) == (name, int(number))]
    known = bins[0] if bins else None
    if known is not None and (known.sensor is not Sensor.WEIGHT or known.cells):
        fail(ExitCode.USAGE, f"{place} is no single scale", "calibrate each product on a scale of its own")
    return readers[name], int(number), known


class _Lines:
    """What is typed, line by line. A thread reads it: a terminal cannot be awaited, and Ctrl-C must not wait for it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, line.strip())
        self._loop.call_soon_threadsafe(self._queue.put_nowait, None)

    async def next(self) -> str | None:
        """The next line; None at the end."""
        return await self._queue.get()


class _Dialogue:
    """One calibration; questions and the live weight go to stderr, the result to stdout."""

    def __init__(self, reader: Reader, channel: int, known: Bin | None, timeout_s: float, *, as_json: bool) -> None:
        self._reader = reader
        self._channel = channel
        self._known = known
        self._timeout_s = timeout_s
        self._as_json = as_json
        self._shows = sys.stderr.isatty()
        self._scale = Scale()
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """The whole dialogue."""
        async with listen([self._reader]) as samples, beside(self._hear(samples)):
            lines = _Lines()
            await self._spoken()
            self._say("Empty the bin, then press Enter.")
            await lines.next()
            zero = await self._measure()
            self._say(f"  empty: {zero.grams:.1f} g, noise {zero.noise_g:.2g} g")
            params = self._params(zero)
            fills = await self._fills(lines, params, zero)
        self._report(fills, params)

    async def _fills(self, lines: _Lines, params: ShelfParams, zero: Measurement) -> list[Fill]:
        self._scale = Scale(params.noise_g)
        fills: list[Fill] = []
        before_g = zero.grams
        while True:
            self._say("Add pieces and type how many were added; Enter alone ends it.")
            answer = await lines.next()
            if not answer:
                return fills
            if not answer.isdecimal() or not int(answer):
                complain(f"{answer!r} is no number of pieces", "count what you add, and type it: 10")
                continue
            weight = await self._measure()
            fills.append(Fill(int(answer), weight.grams - before_g))
            each_g = fills[-1].grams / fills[-1].pieces
            self._say(f"  {fills[-1].pieces} pieces: {fills[-1].grams:.1f} g, {each_g:.2f} g each")
            before_g = weight.grams

    async def _hear(self, samples: Samples) -> None:
        """Every value goes to the measurement of the moment, and to the eye."""
        while True:
            sample = await samples.next()
            if not isinstance(sample, WeightSample) or sample.channel != self._channel:
                continue
            self._scale.feed(sample)
            self._heard.set()
            if self._shows:
                weight = "-" if sample.grams is None else f"{sample.grams:,.1f} g"
                print(f"\r  {weight:>14}  {sample.condition.value:<10}", end="", file=sys.stderr, flush=True)

    async def _news(self) -> None:
        """The next value."""
        self._heard.clear()
        await self._heard.wait()

    async def _spoken(self) -> None:
        """Until the scale has said something. Ends the verb where it does not."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._scale.latest is None:
                    await self._news()
        except TimeoutError:
            place = f"{self._reader.id}:{self._channel}"
            fail(ExitCode.UNREACHABLE, f"{place} says no weight", "check its power, its cable and the dialect")

    async def _measure(self) -> Measurement:
        """The weight from now on, once it rests. Ends the verb where it does not."""
        self._scale.restart()
        try:
            async with asyncio.timeout(self._timeout_s):
                while (found := self._scale.measured()) is None:
                    await self._news()
                return found
        except TimeoutError:
            hint = "keep hands and draughts off it, or give it longer: --timeout"
            fail(ExitCode.FINDING, f"the scale does not come to rest within {self._timeout_s:g} s", hint)

    def _params(self, zero: Measurement) -> ShelfParams:
        """What is known of the scale now; what was configured and cannot be measured stays."""
        params = self._known.params if self._known is not None else ShelfParams()
        noise_g = max(zero.noise_g, zero.division_g / 12**0.5)
        return replace(params, noise_g=round(noise_g, 3), zero_g=round(zero.grams, 1))

    def _say(self, text: str) -> None:
        """To whoever stands at the shelf."""
        clear = "\r" + " " * (columns() - 1) + "\r" if self._shows else ""
        print(f"{clear}{text}", file=sys.stderr, flush=True)

    def _report(self, fills: list[Fill], params: ShelfParams) -> None:
        """The result, and whether this product can be counted here."""
        try:
            learnt = learn(fills, params)
        except ValueError as error:
            fail(ExitCode.FINDING, f"nothing learnt: {error}", "put counted pieces on the scale, ten and more")
        gtin = self._known.skus[0].gtin if self._known is not None else "?"
        pieces, reasons = verdict(learnt, gtin, params)
        if self._as_json:
            scale = {"noise_g": params.noise_g, "zero_g": params.zero_g}
            print_json({**asdict(learnt), **scale, "countable_pieces": pieces, "refused": reasons})
        else:
            print("\n".join(_lines_of(learnt, params, pieces)))
        for reason in reasons:
            complain(f"this product cannot be counted on this scale: {reason}", "a finer scale, or tags")
        if reasons:
            raise typer.Exit(ExitCode.FINDING)


def _lines_of(learnt: Learnt, params: ShelfParams, pieces: int) -> list[str]:
    """What to put into the configuration, with what it rests on."""
    rows: dict[str, Any] = {"unit_weight_g": f"{learnt.unit_weight_g:.2f}"}
    if learnt.variation is not None:
        rows["variation"] = f"{learnt.variation:.4f}"
    rows |= {"tolerance": f"{learnt.tolerance:.4f}", "noise_g": f"{params.noise_g:g}", "zero_g": f"{params.zero_g:g}"}
    lines = [f"# learnt from {learnt.pieces} pieces; this scale counts up to {pieces} of them"]
    if learnt.variation is None:
        lines.append("# how much single pieces vary is assumed; three fills and more measure it")
    if learnt.pieces < ENOUGH_PIECES:
        lines.append("# so few pieces make a poor mean: ten and more are better")
    return [*lines, *(f"{name} = {value}" for name, value in rows.items())]
