"""`tallygate decode`: what the bits of EPCs say."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gateway.cli.output import ExitCode, JsonOption, complain, pairs, print_json
from gateway.domain.epc import EVIDENCE_BYTES, Epc, EpcError
from gateway.domain.epc import decode as decode_epc

NOT_HEX = ("not_hex", "not a whole number of bytes in hexadecimal", "write an EPC as its reader shows it: 3074257B...")
# What people and programs put between the bytes.
SEPARATORS = str.maketrans("", "", " \t-_:")


def decode(
    epcs: Annotated[
        list[str],
        typer.Argument(metavar="EPC", help="In hexadecimal; 0x, spaces and dashes are fine. -: a line each, stdin."),
    ],
    *,
    bits: Annotated[
        int | None, typer.Option(min=1, max=4096, help="The bits that count, where not all do (PC word, LLRP).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decodes EPCs: scheme, GTIN, serial, URIs and Digital Link.

    One that is none is a finding (exit 1); the others are shown all the same.
    """
    findings = 0
    shown = 0
    for text in _texts(epcs):
        result = explain(text, bits)
        findings += "error" in result
        if as_json:
            print_json(result)
        elif "error" in result:
            error = result["error"]
            complain(f"{_short(text)}: {error['text']}", error["hint"])
        else:
            print(("\n" if shown else "") + _for_people(result))
            shown += 1
    if findings:
        raise typer.Exit(ExitCode.FINDING)


def explain(text: str, bits: int | None = None) -> dict[str, Any]:
    """One EPC as a JSON object: its parts and names, or `error` with kind, text and hint."""
    digits = text.translate(SEPARATORS).lower().removeprefix("0x")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if not data:
        kind, reason, hint = NOT_HEX
        return {"epc": _short(text), "error": {"kind": kind, "text": reason, "hint": hint}}
    known = {"epc": data.hex().upper(), "bits": 8 * len(data) if bits is None else bits}
    try:
        epc = decode_epc(data, bits)
    except EpcError as error:
        return {**known, "error": {"kind": error.kind, "text": error.text, "hint": error.hint}}
    return {**known, **_parts(epc)}


def _parts(epc: Epc) -> dict[str, Any]:
    return {
        "scheme": epc.scheme,
        "gtin": epc.gtin,
        "serial": epc.serial,
        "company_prefix": epc.company_prefix,
        "reference": epc.reference,
        "filter": epc.filter,
        "tag_uri": epc.tag_uri,
        "pure_identity_uri": epc.pure_identity_uri,
        "element_string": epc.element_string,
        "digital_link": epc.digital_link,
    }


LABELS = {
    "scheme": "scheme",
    "gtin": "GTIN",
    "serial": "serial",
    "company_prefix": "company prefix",
    "filter": "filter",
    "pure_identity_uri": "identity",
    "tag_uri": "tag URI",
    "element_string": "element string",
    "digital_link": "Digital Link",
}


def _for_people(result: dict[str, Any]) -> str:
    return f"{result['epc']}\n" + pairs((label, result[key]) for key, label in LABELS.items())


def _texts(arguments: list[str]) -> Iterator[str]:
    """The EPCs in the arguments and, for `-`, one a line of stdin; empty lines and comments (#) are passed over."""
    for argument in arguments:
        if argument != "-":
            yield argument
            continue
        for line in sys.stdin:
            if text := line.partition("#")[0].strip():
                yield text


def _short(text: str) -> str:
    """What was typed, cut to what an EPC's evidence may show, fit for a terminal."""
    limit = 2 * EVIDENCE_BYTES
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= limit else text[:limit] + "..."
