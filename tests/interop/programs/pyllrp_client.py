"""pyllrp's own inventory, once: `pyllrp_client.py PORT` prints each tag it saw and how many other messages came."""

import sys

from pyllrp.LLRPConnector import LLRPConnector
from pyllrp.pyllrp import SET_READER_CONFIG_Message
from pyllrp.TagInventory import TagInventory

connector = LLRPConnector()
print(type(connector.connect("127.0.0.1", int(sys.argv[1]))).__name__)
inventory = TagInventory("127.0.0.1", transmitPower=10)
inventory.connector = connector
for request in (SET_READER_CONFIG_Message(ResetToFactoryDefault=True), inventory._getReaderConfigMessage()):
    answer = connector.transact(request)
    assert answer.success(), answer
tags, _ = inventory.GetTagInventory([1, 2])
for tag in sorted(tags):
    print("tag", tag)
for detail in inventory.tagDetail[:1]:
    print("antenna", detail["AntennaID"], "rssi", detail["PeakRSSI"])
inventory.Disconnect()
print("done")
