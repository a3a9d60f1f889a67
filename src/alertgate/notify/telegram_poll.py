"""Hears what people answer in Telegram, by long polling: nothing need reach alertgate from outside.

Telegram hands its updates to one listener, so of all replicas one polls, by a lease in the store. An update is
confirmed once what it asks is committed: until then Telegram keeps it, for a day.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from alertgate.clock import Clock
from alertgate.errors import StoreError
from alertgate.line_budget import LineBudget
from alertgate.marks import digest
from alertgate.model import Json
from alertgate.notify.channels.base import AttemptFailed
from alertgate.notify.channels.service import Reply
from alertgate.notify.channels.telegram_bot import Bot, is_ok, status, wait, words
from alertgate.notify.telegram_answers import Heard, TelegramAnswers
from alertgate.notify.telegram_updates import Press, Said, number_of, read
from alertgate.store import Connection, polls
from alertgate.store.engine import Store
from alertgate.store.polls import Poll

LISTEN = 15
"""Seconds that one request waits for news; a process keeps the poll for at least twice as long."""
MOST = 10
"""Updates in one answer: whoever writes to a bot may write much."""
MOST_BYTES = 2 * 2**20
SAY_WITHIN = 10.0
LONGEST = 30.0
"""Seconds to wait after failures, at most: each waits twice as long as the one before."""
REFUSED = 300.0
"""Seconds to wait after the token was refused: whoever asks with it again and again is banned."""
PATIENCE = 3
"""After so many failures in a row another process may try: perhaps it reaches Telegram."""
FORGOTTEN_AFTER = timedelta(minutes=10)
"""A failure that comes back later is said again; two pollers of one bot fail in turns, every second."""
STRANGERS = 5
"""How many who aren't told by this gate are answered at once; then one a second."""
LONGEST_WORDS = 200
"""Characters that Telegram shows for a press."""

T = TypeVar("T")

log = structlog.stdlib.get_logger("alertgate.telegram")


class TelegramPoll:
    """Polls from `start` to `stop`.

    `owner` identifies this process; `pace` is the time in seconds between two looks whether it may poll, and after
    the first failure.
    """

    def __init__(
        self, bot: Bot, store: Store, answers: TelegramAnswers, clock: Clock, *, token: str, owner: str, pace: float
    ) -> None:
        self._bot = bot
        self._store = store
        self._answers = answers
        self._clock = clock
        self._name = f"telegram:{digest(token)}"
        self._owner = owner
        self._pace = pace
        self._poll = Poll(self._name)
        self._failures = 0
        self._said: tuple[int | str, datetime] | None = None
        """What the last failure was, and when: each is said once."""
        self._is_noted = False
        """Whether the store has a position."""
        self._strangers = LineBudget(STRANGERS)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to poll."""
        self._task = asyncio.create_task(self._run(), name="telegram")

    async def stop(self) -> None:
        """End at once, but for an act that is being committed; another process may poll then."""
        self._stop.set()
        if self._task:
            await self._task
        with suppress(StoreError):
            await self._let_go()
        await self._bot.close()

    async def _let_go(self) -> None:
        """Let another process poll."""
        if self._poll.owner:
            await self._store.write(lambda connection: polls.release(connection, self._name, self._owner))
        self._poll = Poll(self._name)

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                seconds = await self._round()
            except StoreError as error:
                seconds = self._failed("store", "the database can't be used; what people answer waits", str(error))
            except Exception:
                log.exception("telegram.defect", detail="a defect in alertgate; it polls again")
                seconds = LONGEST
            if seconds:
                await self._unless_stopped(asyncio.sleep(seconds))

    async def _round(self) -> float:
        """Poll once, if it is this process that does; return after how many seconds to go on."""
        if not await self._keep():
            return self._pace
        begun = asyncio.get_running_loop().time()
        try:
            reply = await self._unless_stopped(self._listen())
        except AttemptFailed as failed:
            seconds = self._failed("request", "Telegram can't be polled for answers", failed.outcome.reply)
            if self._failures >= PATIENCE:
                await self._let_go()
            return seconds
        if reply is None:
            return 0
        found = reply.json.get("result")
        if not is_ok(reply) or not isinstance(found, list):
            return self._refused(reply)
        self._failures = 0
        await self._confirmed()
        for update in found[:MOST]:
            if self._stop.is_set() or not await self._do(update):
                break
        waited = asyncio.get_running_loop().time() - begun
        # Some servers don't wait for news, or hand out what has no number to confirm it by.
        return 0 if self._poll.position or waited > self._pace else self._pace

    async def _keep(self) -> bool:
        """Take the poll, or keep it; False if another process has it."""
        now = self._clock.now()
        if self._poll.is_fresh(self._owner, now):
            return True
        found = await self._store.read(lambda connection: polls.get(connection, self._name))
        if not found.is_free(self._owner, now):
            self._poll = Poll(self._name)
            return False
        taken = await self._store.write(lambda connection: polls.take(connection, self._name, self._owner, now))
        if taken and self._poll.owner:  # still ours: what needs no note is known here alone
            taken = replace(taken, position=self._poll.position)
        elif taken:
            self._is_noted = taken.position is not None
            if not self._failures:
                log.info("telegram.polls", detail="this process hears what people answer in Telegram")
        self._poll = taken or Poll(self._name)
        return taken is not None

    async def _listen(self) -> Reply:
        """Wait for news. Only what isn't confirmed yet has a position: after a quiet week numbers begin anywhere."""
        asked: dict[str, Json] = {"timeout": LISTEN, "limit": MOST, "allowed_updates": ["message", "callback_query"]}
        if self._poll.position:
            asked["offset"] = int(self._poll.position)
        return await self._bot.call("getUpdates", _in(LISTEN * 2), most=MOST_BYTES, **asked)

    async def _confirmed(self) -> None:
        """Note that Telegram knows up to where all was done."""
        if self._is_noted:
            await self._store.write(lambda connection: polls.advance(connection, self._name, self._owner, None))
        self._is_noted = False
        self._poll = replace(self._poll, position=None)

    async def _do(self, update: Json) -> bool:
        """Do what an update asks, and note it in the same commit; False if another process has the poll by now."""
        number = number_of(update)
        if number is None:
            return True
        position, is_ours, heard = str(number + 1), True, None
        try:
            found = read(update)
            if found and self._is_heard(found):
                is_ours, heard = await self._act(found, position)
        except StoreError:
            raise
        except Exception:
            # It would fail each time: what comes after it must be heard.
            log.exception("telegram.defect", detail="a defect in alertgate; this answer isn't understood")
        self._poll = replace(self._poll, position=position) if is_ours else Poll(self._name)
        if found and heard:
            heard.then()
            await self._say(found, heard)
        return is_ours

    async def _act(self, found: Press | Said, position: str) -> tuple[bool, Heard | None]:
        now = self._clock.now()

        def act(connection: Connection) -> tuple[bool, Heard | None]:
            if not polls.advance(connection, self._name, self._owner, position):
                return False, None
            return True, self._decide(connection, found, now)

        is_ours, heard = await self._store.write(act)
        self._is_noted = is_ours
        return is_ours, heard

    def _decide(self, connection: Connection, found: Press | Said, now: datetime) -> Heard | None:
        if isinstance(found, Press):
            return self._answers.pressed(connection, found, now)
        return self._answers.said(connection, found, now)

    def _is_heard(self, said: Press | Said) -> bool:
        """Tell whether to listen: people talk in groups, and of strangers only some are told how to go on."""
        if isinstance(said, Press):
            return True
        if not (said.is_private or said.asks):
            return said.act is not None
        if self._answers.is_known(said.chat):
            return True
        return self._strangers.take("stranger", self._clock.monotonic()) is not None

    async def _say(self, found: Press | Said, heard: Heard) -> None:
        """Say what became of it; whether that arrives or not, it is done."""
        try:
            if isinstance(found, Press):
                said: dict[str, Json] = {"text": heard.words[:LONGEST_WORDS], "show_alert": not heard.is_done}
                saying = self._bot.call("answerCallbackQuery", _in(SAY_WITHIN), callback_query_id=found.id, **said)
            else:
                reply_to: Json = {"message_id": found.number, "allow_sending_without_reply": True}
                saying = self._bot.call(
                    "sendMessage", _in(SAY_WITHIN), chat_id=found.chat, text=heard.words, reply_parameters=reply_to
                )
            reply = await self._unless_stopped(saying)
        except AttemptFailed as failed:
            log.info(
                "telegram.unsaid", detail="who answered doesn't hear what became of it", reply=failed.outcome.reply
            )
            return
        if reply and not is_ok(reply):  # such as "query is too old"
            log.info("telegram.unsaid", detail="who answered doesn't hear what became of it", reply=words(reply))

    def _refused(self, reply: Reply) -> float:
        """Say once why Telegram hands out no news; return how long to wait."""
        code = status(reply)
        detail, least = "Telegram hands out no answers", wait(reply) or 0.0
        if code == 409:
            detail = (
                "another program takes this bot's answers, so buttons and replies don't reach alertgate; sending goes "
                "on: make a bot for alertgate alone, or stop the other program and remove its webhook (deleteWebhook)"
            )
        elif code in (401, 404):
            detail, least = "TELEGRAM_TOKEN isn't a bot's (any more): ask @BotFather for it", REFUSED
        return max(self._failed(code, detail, words(reply)), least)

    def _failed(self, kind: int | str, detail: str, reply: str) -> float:
        """Log a failure, once as long as it stays the same; return how long to wait."""
        now = self._clock.now()
        if self._said is None or self._said[0] != kind or now - self._said[1] > FORGOTTEN_AFTER:
            log.warning("telegram.unheard", detail=f"{detail}; it tries again", reply=reply)
        self._said = kind, now
        self._failures += 1
        return min(self._pace * 2.0 ** min(self._failures - 1, 20), LONGEST)

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """Return what a coroutine returns; None if it was given up on because this process ends."""
        task, stop = asyncio.ensure_future(waiting), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return None
        finally:
            for each in (task, stop):
                each.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
