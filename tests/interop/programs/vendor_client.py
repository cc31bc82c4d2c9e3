"""The drivers on sllurp that bear a vendor's name: `vendor_client.py impinj|zebra PORT` prints what they learn."""

import importlib
import os
import sys
import threading
import time
from typing import Any

vendor, port = sys.argv[1], int(sys.argv[2])
module = importlib.import_module(f"{vendor}_llrp")
driver = getattr(module, f"{vendor.capitalize()}Llrp")()
tags = set()
enough = threading.Event()


def take(report: Any) -> None:
    tags.add((report.epc.lower(), report.antenna_port, report.peak_rssi_dbm))
    if len(tags) >= 4:
        enough.set()


driver.set_notification_callback(take)
driver.set_antenna_config([1, 2])
assert driver.connect("127.0.0.1", port)
# Told to start before it knows the reader, it trips over its own answers.
for _ in range(100):
    if driver.get_reader_info() is not None:
        break
    time.sleep(0.05)
time.sleep(0.2)
assert driver.start()
print("enough" if enough.wait(10) else "too few")
print("reader", driver.get_reader_info())
for epc, antenna, rssi in sorted(tags):
    print("tag", epc, antenna, rssi)
print("done", flush=True)
# Its stop would connect again, and may wait for ever.
os._exit(0)
