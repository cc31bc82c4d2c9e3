"""The drivers on sllurp that bear a vendor's name: `vendor_client.py impinj|zebra PORT` prints what they learn."""

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from sllurp.llrp import LLRPReaderState

vendor, port = sys.argv[1], int(sys.argv[2])
module = importlib.import_module(f"{vendor}_llrp")
driver = getattr(module, f"{vendor.capitalize()}Llrp")()
tags = set()
enough = threading.Event()


def take(report: Any) -> None:
    tags.add((report.epc.lower(), report.antenna_port, report.peak_rssi_dbm))
    if len(tags) >= 4:
        enough.set()


def until(condition: Callable[[], bool]) -> None:
    """For what the driver knows and does not announce; who started this program has a limit."""
    while not condition():
        time.sleep(0.01)


def knows_its_reader() -> bool:
    info = driver.get_reader_info()
    return info is not None and info.antenna_count > 1


def rests() -> bool:
    """Told to start before it has done with the reader, it trips over its own answers. One hangs up by itself."""
    return vendor == "impinj" or driver._client.llrp.state == LLRPReaderState.STATE_CONNECTED


driver.set_notification_callback(take)
driver.set_antenna_config([1, 2])
assert driver.connect("127.0.0.1", port)
until(lambda: knows_its_reader() and rests())
assert driver.start()
enough.wait()
print("enough")
print("reader", driver.get_reader_info())
for epc, antenna, rssi in sorted(tags):
    print("tag", epc, antenna, rssi)
print("done", flush=True)
# Its stop would connect again, and may wait for ever.
os._exit(0)
