import asyncio

import pytest

from tests.bench.bench_serial import PORTS, measure


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("modbus", 3),
        pytest.param("shelf_line", 60, marks=pytest.mark.slow),
        pytest.param("m100", 60, marks=pytest.mark.slow),
    ],
)
async def test_eight_ports_at_full_rate_lose_not_a_byte(kind: str, seconds: float) -> None:
    async with asyncio.timeout(110):
        found = await measure(kind, seconds)
    assert found.notices == []
    assert len(found.values_per_s) == PORTS
    assert found.heard == found.said
    assert min(found.said) > 0
    if kind != "modbus":
        assert min(found.line_share) > 0.97
