"""Everything that is measured, side by side in one run: `make bench`, or `make bench ARGS="line uplink"`.

Timings are not tests: the figures depend on the machine, the ratios less so. The last line is one JSON object.
"""

import json
import sys
import time

from tests.bench import (
    bench_decode,
    bench_ledger,
    bench_line,
    bench_replay,
    bench_scale,
    bench_serial,
    bench_shelf,
    bench_uplink,
)

BENCHES = {
    "decode": bench_decode.run,
    "line": bench_line.run,
    "ledger": bench_ledger.run,
    "uplink": bench_uplink.run,
    "replay": bench_replay.run,
    "scale": bench_scale.run,
    "serial": bench_serial.run,
    "shelf": bench_shelf.run,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    for name in names or BENCHES:
        print(f"\n== {name} ==", flush=True)
        begun_s = time.monotonic()
        figures |= {f"{name}.{key}": value for key, value in BENCHES[name]().items()}
        print(f"({name}: {time.monotonic() - begun_s:.0f} s)", flush=True)
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
