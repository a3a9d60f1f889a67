"""The bot against `telegram-test-api` of npm, a test server that others wrote.

It runs where Node is and NODE_PATH leads to the package: `npm install telegram-test-api`, `NODE_PATH=node_modules`.
"""

import asyncio
import os
import shutil
import socket
import subprocess
from contextlib import asynccontextmanager

import httpx
import pytest

from alertgate.notify.lane import DeliveryTimes
from tests.conftest import API_BEARER, serving
from tests.fakes import until
from tests.services.telegram import TOKEN

NODE = shutil.which("node")
SERVE = "new (require('telegram-test-api').default || require('telegram-test-api'))({port: +process.argv[1]}).start()"
_LOOK = "require.resolve('telegram-test-api')"
IS_THERE = NODE is not None and subprocess.run([NODE, "-e", _LOOK], capture_output=True, check=False).returncode == 0

pytestmark = pytest.mark.skipif(not IS_THERE, reason="the npm package telegram-test-api isn't installed")


@asynccontextmanager
async def test_api():
    """Run the server; give a client for what people do there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: os.environ[name] for name in ("PATH", "NODE_PATH") if name in os.environ}
    server = await asyncio.create_subprocess_exec(NODE or "node", "-e", SERVE, str(port), env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:

            async def is_up() -> bool:
                try:
                    return (await client.get("/")).status_code > 0
                except httpx.ConnectError:
                    return False

            await until(is_up)
            yield client
    finally:
        server.terminate()
        await server.wait()


test_api.__test__ = False  # type: ignore[attr-defined]


async def test_a_press_comes_back(make_settings):
    """The message has buttons, its press acknowledges, and the message is edited."""
    async with test_api() as api:
        settings = make_settings(
            telegram_token=TOKEN,
            telegram_url=str(api.base_url).rstrip("/"),
            channels_private=True,
            recipient_push="telegram:42",
        )
        async with serving(settings, times=DeliveryTimes(poll_every=0.05)) as service:
            incident = (await service.particle(data="motion")).json()["incident"]

            async def history():
                return (await api.post("/getUpdatesHistory", json={"token": TOKEN})).json()["result"]

            [sent] = await until(history)
            button = sent["message"]["reply_markup"]["inline_keyboard"][0][0]
            press = {
                "botToken": TOKEN,
                "from": {"id": 42, "first_name": "Anna"},
                "message": {"message_id": sent["messageId"], "chat": {"id": 42, "type": "private"}},
                "data": button["callback_data"],
            }
            await api.post("/sendCallback", json=press)

            async def text():
                [first, *_] = [each for each in await history() if each.get("messageId") == sent["messageId"]]
                return first["message"]["text"] if "ACKNOWLEDGED" in first["message"]["text"] else None

            assert "Anna has it" in await until(text)
            answer = await service.client.get(f"/api/incidents/{incident}", headers=API_BEARER)
            assert answer.json()["incident"]["acknowledged_by"] == "Anna"
