"""Tag reports that atheris makes up, guided by what they reach: every fast path must give what the walker gives.

`make fuzz` runs it from the corpus; what it learns stays in `build/fuzz`, and so does an input that fails.
"""

import sys

import atheris

from tests.fuzz.corpus import connection

with atheris.instrument_imports(include=["readers.llrp.reports", "readers.llrp.parameters"]):
    from tests.readers.llrp.test_reports import check_against_walker


def one_connection(data: bytes) -> None:
    # Twice each: only what repeats takes the fast paths.
    check_against_walker([body for body in connection(data) for _ in range(2)])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_connection)
    atheris.Fuzz()
