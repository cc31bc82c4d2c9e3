"""What every table of the file has in common: strictness, and the names that things have."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

IDENTIFIER_PATTERN = r"^[a-z0-9-]{1,64}$"
# LLRP numbers antenna ports in 16 bits; 0 means all of them and names none.
PORT_PATTERN = r"^(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
GTIN_PATTERN = r"^(?:[0-9]{8}|[0-9]{12,14})$"
BASE_PATTERNS_IN_WORDS = {
    IDENTIFIER_PATTERN: "1 to 64 characters of a-z, 0-9 and -",
    PORT_PATTERN: "an antenna port from 1 to 65535",
    GTIN_PATTERN: "a GTIN of 8, 12, 13 or 14 digits",
}

Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
AntennaPort = Annotated[str, Field(pattern=PORT_PATTERN)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]


def check_digit(digits: str) -> int:
    """What the `digits` of a GTIN or GLN must end with: modulo 10, weights 3 and 1 from the right."""
    return -sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits))) % 10


class Section(BaseModel):
    """A table of the file: a key that is not known is an error, no value is turned into another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)
