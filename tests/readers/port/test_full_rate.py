import asyncio

import pytest

from tests.bench.bench_serial import PORTS, measure


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shelf_line", "m100"])
async def test_eight_ports_at_full_rate_lose_nothing(kind: str) -> None:
    async with asyncio.timeout(110):
        found = await measure(kind, 60)
    assert found.notices == []
    assert len(found.values_per_s) == PORTS
    assert min(found.values_per_s) > 0.9 * max(found.values_per_s)
    # Some 5 % where nothing else runs.
    assert found.share < 0.3
