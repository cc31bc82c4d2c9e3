import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemClock
from readers.llrp.control import AddRoSpec, AntennaPlan, RoSpec
from readers.llrp.driver import LlrpDriver
from readers.llrp.messages import encode
from readers.llrp.settings import EpcMask, mask_of
from simulators.llrp.layouts import PARAMETERS
from simulators.llrp.names import ParameterType
from simulators.llrp.packer import read_parameter
from simulators.llrp.selection import is_selected
from tests.readers.llrp.driving import TAGS, settings, simulated
from tests.readers.llrp.frames import tlv
from tests.readers.running import Collector, running

HEAD_BYTES = 10


def added(*masks: EpcMask) -> bytes:
    return encode(AddRoSpec(RoSpec(1, (AntennaPlan(1, filters=masks),), 1)), 1)[HEAD_BYTES:]


def wire(mask: bytes, bits: int, action: int) -> bytes:
    return tlv(331, b"\x40" + tlv(332, struct.pack(">BHH", 0x40, 32, bits) + mask) + tlv(334, bytes((action,))))


def test_masks_become_select_commands_the_first_alone_deselects() -> None:
    body = added(mask_of("3034257"), mask_of("30FF", 13))
    assert wire(b"\x30\x34\x25\x70", 28, 0) + wire(b"\x30\xf8", 13, 1) in body


@pytest.mark.parametrize(("digits", "bits"), [("", None), ("30", 9), ("zz", None), ("30", 0), ("0" * 64, None)])
def test_a_mask_that_cannot_be_sent_is_an_error(digits: str, bits: int | None) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the configuration's to show
        mask_of(digits, bits)


@given(st.binary(min_size=12, max_size=12), st.lists(st.tuples(st.binary(min_size=1, max_size=12), st.integers(1, 96))))
def test_a_tag_answers_where_it_begins_like_a_mask(epc: bytes, wanted: list[tuple[bytes, int]]) -> None:
    masks = [EpcMask(data, min(bits, 8 * len(data))) for data, bits in wanted]
    whole = int.from_bytes(epc, "big")
    fits = [whole >> 96 - m.bits == int.from_bytes(m.data, "big") >> 8 * len(m.data) - m.bits for m in masks]
    rospec = read_parameter(added(*masks))
    assert ParameterType.C1G2Filter in PARAMETERS
    found = tuple(
        each
        for inventory in rospec.one(ParameterType.AISpec).every(ParameterType.InventoryParameterSpec)
        for antenna in inventory.every(ParameterType.AntennaConfiguration)
        for command in antenna.every(ParameterType.C1G2InventoryCommand)
        for each in command.every(ParameterType.C1G2Filter)
    )
    assert len(found) == len(masks)
    assert is_selected(epc, found) is (not masks or any(fits))


async def test_only_what_fits_is_read() -> None:
    sink = Collector()
    wanted = {TAGS[1][2], TAGS[2][0]}
    masks = tuple(EpcMask(epc, 24) for epc in wanted)
    async with simulated() as server:
        driver = LlrpDriver("r", settings(server.port, epc_filters=masks), SystemClock())
        async with running(driver, sink):
            await sink.until(lambda: len(sink.batches) > 5)
    assert {epc for epc, _ in sink.seen()} == wanted
    assert not sink.notices
