"""The short form of `make torture`, which tests the harness as well as the service."""

import pytest
from torture.__main__ import run


@pytest.mark.alone
@pytest.mark.postgres
async def test_nothing_is_lost_in_the_short_form():
    """Kills, dead mail servers, cut connections, a locked database, a wrong clock, a closed log; cheats are caught."""
    rows = await run([], short=True)
    assert {row.fault: row.lost for row in rows if row.lost} == {}
    assert {row.fault: row.twice for row in rows if row.twice} == {}
    assert len(rows) == 12
