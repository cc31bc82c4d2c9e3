import pytest

from gateway.domain.tags import key_bits, key_epc, tag_key

EPC = bytes.fromhex("3034257BF7194E4000001A85")


@pytest.mark.parametrize("bits", [96, 95, 89])
def test_a_key_gives_back_what_it_was_made_of(bits: int) -> None:
    key = tag_key(EPC, bits)
    assert (key_epc(key), key_bits(key)) == (EPC, bits)


def test_whole_bytes_are_their_own_key_and_others_are_told_apart() -> None:
    assert tag_key(EPC, 96) is EPC
    assert len({tag_key(EPC, bits) for bits in (96, 95, 94)}) == 3
