"""Many shop hours, on all cores: `python -m tests.faults.hours 17` lives through that of seed 17, `... 0 1000` through
a thousand of them. PYTHONHASHSEED orders sets: with another one a seed is another hour.
"""

import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.hour import live_through

# What a daemon leaves in memory adds up over its thousands of lives.
HOURS_A_PROCESS = 25
TELL_EVERY = 100


@dataclass
class Outcome:
    """What became of one hour."""

    seed: int
    error: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    applied: int = 0
    settled_s: float = 0.0
    trace: str = ""


def outcome(seed: int) -> Outcome:
    """Live through the hour of this seed, whatever comes of it."""
    try:
        world = live_through(seed)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is told
        return Outcome(seed, repr(error))
    applied = sum(follower.applied for follower in world.followers)
    return Outcome(seed, "", world.faults, applied, world.settled_s, world.trace.hexdigest())


def main() -> int:
    first, last = int(sys.argv[1]), int(sys.argv[2] if len(sys.argv) > 2 else int(sys.argv[1]) + 1)
    began_s, faults, hours = time.monotonic(), Counter[str](), []
    if last - first == 1:
        logging.basicConfig(level=logging.WARNING)
        print(f"seed {first} ended well, {live_through(first).trace.hexdigest()}")
        return 0
    logging.disable()
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), maxtasksperchild=HOURS_A_PROCESS) as pool:
        for done in pool.imap_unordered(outcome, range(first, last)):
            hours.append(done)
            faults.update(done.faults)
            if done.error:
                print(f"seed {done.seed}: {done.error}", flush=True)
            if len(hours) % TELL_EVERY == 0:
                print(f"{len(hours)} hours after {time.monotonic() - began_s:.0f} s", flush=True)
    broken = sorted(done.seed for done in hours if done.error)
    print(
        f"shop hours: seeds {first} to {last - 1}, {faults.total()} faults of {len(faults)} kinds, "
        f"{sum(done.applied for done in hours)} deltas applied, {len(broken)} hours went wrong {broken or ''}"
        f"in {time.monotonic() - began_s:.0f} s, longest recovery {max(done.settled_s for done in hours):.0f} s"
    )
    print(f"the last hour: {max(hours, key=lambda done: done.seed).trace}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
