"""How fast alerts are accepted while people look at the console: each page has a stream, fetched at each hint."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from torture.books import Books
from torture.gate import API

from bench import processor, sides
from bench.figure import Figure
from bench.load import ROUNDS, SECONDS, Measured, alerts, rates, ratios, warm
from bench.posts import alert, post

VIEWERS = 200
OF_A_SESSION = 10
"""Pages that one session has open."""
PAGE = "/"
ABOUT = "about=incidents&about=alerts&about=channels&about=devices&about=silences&about=people"
"""What the first page shows."""


async def viewers(directory: Path) -> list[Figure]:
    """Measure accept with 200 pages of the console open against none, and the processor time that they take."""
    alone: list[Measured] = []
    watched: list[Measured] = []
    fetched: list[int] = []
    cost: list[float] = []
    async with (
        sides.sink() as smtp,
        sides.gate(directory / "alone", smtp) as one,
        sides.gate(directory / "watched", smtp) as other,
    ):
        await warm(one.port, Books(one.database))
        await warm(other.port, Books(other.database))
        async with watching(other.port, VIEWERS) as pages:
            turns = [(one.port, alone), (other.port, watched)]
            for _ in range(ROUNDS):
                used = [processor.seconds(gate.pid) for gate in (one, other)]
                await asyncio.gather(few_alerts(one.port), few_alerts(other.port))
                spent = [processor.seconds(gate.pid) - before for gate, before in zip((one, other), used, strict=True)]
                cost.append((spent[1] - spent[0]) / SECONDS)
                before = len(pages)
                for port, measured in turns:
                    measured.append(await alerts(port, connections=32))
                turns.reverse()  # neither side comes second each time
                fetched.append(len(pages) - before)
    each_second = sum(fetched) / len(fetched) / SECONDS
    return [
        Figure(
            f"accept while {VIEWERS} pages of the console are open",
            "the same, none open",
            "≥ 0.9",
            ratios(watched, alone),
            f"{rates(watched, alone)}; {each_second:.0f} pages fetched a second",
        ),
        Figure(f"processor time that {VIEWERS} open pages take, each second", "", "≤ 0.1", cost, unit="s"),
    ]


async def few_alerts(port: int) -> None:
    """Let something change all the time, without load."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await post(port, alert(event="alarm/motion", coreid="0" * 24))
        await asyncio.sleep(0.25)


@asynccontextmanager
async def watching(port: int, number: int) -> AsyncIterator[list[int]]:
    """Open `number` pages, and keep them live; give the sizes of all that were fetched. Raises RuntimeError."""
    sizes: list[int] = []
    live: list[bool] = []
    cookies = [await signed_in(port) for _ in range(-(-number // OF_A_SESSION))]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(port, cookies[each // OF_A_SESSION], live, sizes)) for each in range(number)]
        while len(live) < number:
            await asyncio.sleep(0.1)
        yield sizes
        for task in tasks:
            task.cancel()


async def look(port: int, cookie: str, live: list[bool], sizes: list[int]) -> None:
    """Have one page open, and fetch it on each hint."""
    reader, writer = await _asked(port, f"/live?{ABOUT}", cookie)
    head = await reader.readuntil(b"\r\n\r\n")
    if head[9:12] != b"200":
        raise RuntimeError(f"/live answered {head.decode()}")
    live.append(True)
    while line := await reader.readline():
        if line.startswith(b"data: {") and json.loads(line.removeprefix(b"data: "))["topics"]:
            sizes.append(await fetch(port, cookie))
    writer.close()
    raise RuntimeError("The service ended a stream.")


async def fetch(port: int, cookie: str) -> int:
    """Fetch the page as its script does; return its size. Raises RuntimeError."""
    reader, writer = await _asked(port, PAGE, cookie, "X-Live: 1\r\nConnection: close\r\n")
    answer = await reader.read()
    writer.close()
    if answer[9:12] != b"200":
        raise RuntimeError(f"{PAGE} answered {answer[:300].decode()}")
    return len(answer)


async def signed_in(port: int) -> str:
    """Sign in with API_TOKEN; return the session's cookie. Raises RuntimeError."""
    body = urlencode({"token": API, "name": "Ada"})
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    more = f"Sec-Fetch-Site: same-origin\r\n{form}Connection: close\r\n"
    reader, writer = await _asked(port, "/sign-in", "", more, method="POST", body=body)
    answer = (await reader.read()).decode()
    writer.close()
    head = answer.partition("\r\n\r\n")[0]
    found = [line for line in head.splitlines() if line.lower().startswith("set-cookie: ")]
    if answer[9:12] != "303" or not found:
        raise RuntimeError(f"Signing in was answered {head}")
    return found[0].partition(" ")[2].partition(";")[0]


async def _asked(
    port: int, path: str, cookie: str, more: str = "", *, method: str = "GET", body: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n{more}\r\n{body}".encode())
    return reader, writer
