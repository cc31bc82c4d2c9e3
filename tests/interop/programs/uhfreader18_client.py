"""uhfreader18's client against a reader behind TCP: `uhfreader18_client.py PORT` asks, sets and asks again."""

import sys

from uhfreader18 import Command, FreqBand, RfidClient

with RfidClient("127.0.0.1", int(sys.argv[1]), timeout=20) as client:
    info, address = client.discover_address()
    print(f"address {address} band {info.band} power {info.power} scan {info.scan_time}")
    client.set_power(address, 17)
    client.set_region(address, FreqBand.KOREAN, 31, 0)
    client.set_scan_time(address, 5)
    info = client.get_reader_info(address)
    print(
        f"now band {info.band} channels {info.min_index} to {info.max_index} power {info.power} scan {info.scan_time}"
    )
    seen = client._send_command(address, Command.INVENTORY)
    print(f"status {seen.status:02x} data {seen.data.hex()}")
