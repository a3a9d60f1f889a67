"""What holds after every attack: no traceback in the log, and a good request is answered."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import MakeSettings, Running, serving


@pytest.fixture(autouse=True)
def _no_traceback(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nobody's request makes a defect."""
    yield
    printed = capsys.readouterr()
    logged = printed.out + printed.err + caplog.text
    assert "Traceback" not in logged
    assert "a defect" not in logged


@pytest.fixture
async def service(make_settings: MakeSettings) -> AsyncIterator[Running]:
    """A service that must answer a good request after the test."""
    async with serving(make_settings(recipient_email="me@example.com", particle_rate_limit="100000/minute")) as running:
        yield running
        assert (await running.particle(event_id="afterwards")).status_code == 202
