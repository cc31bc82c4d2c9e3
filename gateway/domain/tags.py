"""What a tag is known by."""

TagKey = bytes | tuple[bytes, int]
"""What a tag is known by: its EPC, with its bit count where that is not 8 times its bytes (never on Gen2 tags)."""


def tag_key(epc: bytes, bits: int) -> TagKey:
    """The key of a tag with this EPC of so many bits."""
    return epc if bits == 8 * len(epc) else (epc, bits)


def key_epc(key: TagKey) -> bytes:
    """The EPC itself; the last byte padded with zero bits where its bits end within it."""
    return key if isinstance(key, bytes) else key[0]


def key_bits(key: TagKey) -> int:
    """How many bits the EPC has."""
    return 8 * len(key) if isinstance(key, bytes) else key[1]
