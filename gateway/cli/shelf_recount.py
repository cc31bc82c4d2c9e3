"""`tallygate shelf recount` and `empty`: a running gateway takes a person's word for what lies in a bin."""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from gateway.cli.api import RefusedError, ask
from gateway.cli.output import ExitCode, fail, print_json

# A scale that does not rest yet is asked again after this long.
AGAIN_S = 0.25
EXAMPLES = "12 where one product lies, GTIN=12 GTIN=0 where several do"
ITS_OWN = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})


def recount(http: str, place: str, counts: Sequence[str] | None, timeout_s: float, *, as_json: bool) -> None:
    """Tell the gateway that so many pieces lie at `place`; None: it is empty."""
    reader, _, channel = place.rpartition(":")
    if not reader or not channel.isdecimal():
        fail(ExitCode.USAGE, f"{place!r} is no READER:CHANNEL", "tallygate shelf show lists the bins")
    gtins = _gtins(http, place, timeout_s)
    pieces = dict.fromkeys(gtins, 0) if counts is None else _pieces(counts, gtins)
    found = _tell(http, f"shelves/{reader}/{channel}", pieces, timeout_s)
    if as_json:
        print_json(found)
    else:
        print(_in_words(place, found))


def _gtins(http: str, place: str, timeout_s: float) -> list[str]:
    """The products of the bin, counted or not."""
    bins = ask(http, "shelves", timeout_s)
    found = [each["gtins"] for each in bins if f"{each['reader']}:{each['channel']}" == place]
    if not found:
        fail(ExitCode.FINDING, f"no such bin: {place}", "tallygate shelf show lists them")
    return list(found[0])


def _pieces(counts: Sequence[str], gtins: Sequence[str]) -> dict[str, int]:
    """What was typed, by GTIN. Ends the verb where it makes no sense."""
    pieces: dict[str, int] = {}
    for word in counts:
        gtin, separator, count = word.rpartition("=")
        if not separator and len(gtins) > 1:
            fail(ExitCode.USAGE, f"{len(gtins)} products lie there: {', '.join(gtins)}", EXAMPLES)
        gtin = gtin.zfill(14) if separator else gtins[0]
        if not count.isdecimal() or gtin in pieces:
            fail(ExitCode.USAGE, f"{word!r} is no count of pieces", EXAMPLES)
        pieces[gtin] = int(count)
    if not pieces:
        fail(ExitCode.USAGE, "recount needs the number of pieces", f"{EXAMPLES}; or: tallygate shelf empty")
    return pieces


def _tell(http: str, path: str, pieces: Mapping[str, int], timeout_s: float) -> dict[str, Any]:
    """What the gateway made of it, as soon as the scale rests. Ends the verb where it refuses."""
    until_s = time.monotonic() + timeout_s
    while True:
        try:
            found: dict[str, Any] = ask(http, path, timeout_s, told=ITS_OWN, body={"pieces": pieces})
        except RefusedError as error:
            if error.status != HTTPStatus.CONFLICT or time.monotonic() > until_s:
                fail(ExitCode.FINDING, str(error), error.hint)
            time.sleep(AGAIN_S)
        else:
            return found


def _in_words(place: str, found: Mapping[str, Any]) -> str:
    """What is counted now, for a person."""
    told = []
    for gtin, pieces in ((each["gtin"], each["pieces"]) for each in found["products"]):
        before = found["before"][gtin]
        was = "not counted before" if before is None else f"was {before}"
        told.append(f"{pieces} of {gtin} ({was})")
    moved_g = found["zero_moved_g"]
    zero = f"its zero has moved by {moved_g:+,.0f} g" if abs(moved_g) >= 1 else "its weight agrees"
    return f"{place}: {', '.join(told)}; {zero}"
