"""chafon_rfid against a reader on a serial port: `chafon_client.py PATH ADDRESS` says who it is and what it sees."""

import sys

from chafon_rfid.base import CommandRunner, ReaderCommand, ReaderInfoFrame, ReaderResponseFrame, ReaderType
from chafon_rfid.command import CF_GET_READER_INFO, CF_SET_RF_POWER, G2_TAG_INVENTORY
from chafon_rfid.transport_serial import SerialTransport
from chafon_rfid.uhfreader18 import G2InventoryResponseFrame as Frame18
from chafon_rfid.uhfreader288m import G2InventoryCommand
from chafon_rfid.uhfreader288m import G2InventoryResponseFrame as Frame288

transport = SerialTransport(device=sys.argv[1], timeout=20)
address = int(sys.argv[2])
runner = CommandRunner(transport)
info = ReaderInfoFrame(runner.run(ReaderCommand(CF_GET_READER_INFO)))
print(f"type {info.type.name} band {info.frequency_band.name} power {info.power} address {info.reader_addr}")
print(f"from {info.get_min_frequency():.1f} to {info.get_max_frequency():.1f} MHz")
power = ReaderResponseFrame(runner.run(ReaderCommand(CF_SET_RF_POWER, address, data=[24])))
print(f"power set {power.result_status:02X}")
old = info.type is ReaderType.UHFReader18
for antenna in (0x80, 0x81)[: 1 if old else 2]:
    command = (
        ReaderCommand(G2_TAG_INVENTORY, address)
        if old
        else G2InventoryCommand(address, q_value=4, antenna=antenna, scan_time=3)
    )
    transport.write(command.serialize())
    while True:
        frame = (Frame18 if old else Frame288)(transport.read_frame())
        for tag in frame.get_tag():
            print(f"tag {bytes(tag.epc).hex()} {tag.antenna_num} {tag.rssi}")
        if frame.result_status != 0x03:
            break
print("done")
