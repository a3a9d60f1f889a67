"""What Twilio tells: how messages and calls end, the digits of calls, and replies to texts. Answered in TwiML."""

import structlog
from fastapi import APIRouter, Response

from alertgate.answers import WORDS
from alertgate.credential import Credential
from alertgate.errors import RateLimited, StoreError
from alertgate.group.answers import Answered
from alertgate.group.replies import Replies
from alertgate.model import ChannelName, Notification
from alertgate.notify.channels.twilio_account import CALL_PATH, NUMBER, SMS_PATH, STATUS_PATH
from alertgate.notify.channels.twilio_outcomes import Became, learned
from alertgate.notify.channels.twilio_twiml import NOTHING, PRESS_1, asked_again, spoken, written
from alertgate.store import Connection, follow, notifications
from alertgate.web.acts import log_act
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.twilio_guard import TwilioFields

router = APIRouter(include_in_schema=False)  # they are for Twilio alone
NOT_STORED = "Nothing was done, because the database can't be used now. Try again in a minute."
NOTHING_THERE = "There is nothing to take any more."


@router.post(STATUS_PATH, status_code=204)
async def status(fields: TwilioFields, gate: CurrentGate) -> Response:
    """Note what became of a text or a call. What isn't known yet, as who took a call, is asked for."""
    channel = ChannelName.CALL if "CallSid" in fields else ChannelName.TWILIO
    sid = fields.get("CallSid") or fields.get("MessageSid") or ""
    told = await gate.store.read(lambda connection: follow.by_receipt(connection, channel, sid)) if sid else []
    became = Became.of_fields(fields)
    if told and became.status == "completed" and became.answered_by in ("", "unknown"):
        await gate.follower.ask_now(told)
    elif told and (found := learned(became, told[0].proof)):
        await gate.follower.learn(told, found)
    return Response(status_code=204)


@router.post(SMS_PATH)
async def reply(fields: TwilioFields, gate: CurrentGate) -> Response:
    """Take a reply to a text. Twilio itself deals with STOP and START."""
    number, text = fields.get("From", ""), fields.get("Body", "")
    if not NUMBER.fullmatch(number) or fields.get("OptOutType") or not _is_told(number, gate):
        return _twiml(NOTHING)
    replies, now = Replies(gate.answers, gate.device_names), gate.clock.now()
    try:
        replied = await gate.store.write(lambda connection: replies.reply(connection, number, text, now))
    except StoreError:
        return _twiml(written(NOT_STORED))
    if replied.told and replied.answered:
        _note(replied.told, replied.answered, gate)
    try:
        gate.limits.count_reply(number)
    except RateLimited:
        return _twiml(NOTHING)
    return _twiml(written(replied.text))


@router.post(f"{CALL_PATH}/{{notification_id}}")
async def digit(notification_id: str, fields: TwilioFields, gate: CurrentGate) -> Response:
    """Take the digit of a call: 1 is *I'm on it*."""
    if fields.get("Digits") != "1":
        action = f"{gate.settings.public_url}{CALL_PATH}/{notification_id}"
        return _twiml(asked_again(f"Nothing was done. {PRESS_1}", action))
    now = gate.clock.now()

    def take(connection: Connection) -> tuple[Notification, Answered] | None:
        told = notifications.get(connection, notification_id)
        if told is None or told.channel is not ChannelName.CALL or told.address != fields.get("To"):
            return None
        if not _is_told(told.address, gate):
            return None
        answered = gate.answers.answer(connection, told, Credential.TWILIO, now)
        follow.prove(connection, [told], answered.proof, now, "a digit")
        return told, answered

    try:
        taken = await gate.store.write(take)
    except StoreError:
        return _twiml(spoken(NOT_STORED))
    if taken is None:
        return _twiml(spoken(NOTHING_THERE))
    _note(*taken, gate)
    return _twiml(spoken(WORDS[taken[1].verdict]))


def _is_told(number: str, gate: Gate) -> bool:
    """Return whether a number is still somebody's: who isn't told any more doesn't answer for them either."""
    return any(gate.directory.people((channel, number)) for channel in (ChannelName.TWILIO, ChannelName.CALL))


def _note(told: Notification, answered: Answered, gate: Gate) -> None:
    """Log what a person answered, and tell others of it."""
    structlog.contextvars.bind_contextvars(notification_id=told.id, verdict=answered.verdict)
    if answered.done:
        log_act(*answered.done)
        gate.deliverer.wake()


def _twiml(text: str) -> Response:
    return Response(text, media_type="text/xml")
