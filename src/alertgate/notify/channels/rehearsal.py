"""Rehearse mails to all recipients: everything that the server is told before a mail's content, and no mail."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import aiosmtplib
from aiosmtplib import SMTP

from alertgate.config import Settings
from alertgate.model import Target
from alertgate.notify.channels.advice import advice
from alertgate.notify.channels.base import Finding, Level, Outcome, Reason, Sent, Transient
from alertgate.notify.channels.hidden import Hide, without
from alertgate.notify.channels.replies import Stage, classify
from alertgate.notify.gateways import is_text_message

PER_CONNECTION = 50
"""Recipients for one connection: servers count RSET against a client (Postfix: `smtpd_junk_command_limit`, 100)."""
WITHIN = 120.0
"""Seconds after which no further recipient is asked for."""
MOST_LOST = 3
"""Lost connections after which no further recipient is asked for."""

Lend = Callable[[Callable[[SMTP], Awaitable[None]]], Awaitable[Outcome | None]]
"""Hands a connection that is logged in to a function; returns the failure of either, or None."""


@dataclass(slots=True)
class Rehearsal:
    """What the server answered. `recipients` has those that were asked for."""

    server: Outcome | None = None
    """The answer to a NOOP after the login, or why there was no login."""
    sender: Outcome | None = None
    """Why the sender was refused. None if it wasn't, as far as the server says so before it knows the recipient."""
    recipients: dict[str, Outcome] = field(default_factory=dict)
    asking: str | None = None
    """The recipient that is being asked for."""
    lost: Outcome | None = None
    """Why the others weren't asked for."""

    def conceal(self, hide: Hide) -> None:
        """Take out what the server repeats of the login."""
        self.server, self.sender, self.lost = (
            outcome and without(outcome, hide) for outcome in (self.server, self.sender, self.lost)
        )
        self.recipients = {address: without(outcome, hide) for address, outcome in self.recipients.items()}


async def rehearse(lend: Lend, sender: str, addresses: Sequence[str]) -> Rehearsal:
    """Ask for each recipient in a transaction of its own, as a mail does, and reset it."""
    heard = Rehearsal()
    loop = asyncio.get_running_loop()
    until, losses = loop.time() + WITHIN, 0
    while True:
        waiting = [address for address in addresses if address not in heard.recipients]
        failure = await lend(partial(_ask, heard, sender, waiting[:PER_CONNECTION], until))
        if heard.server is None:
            heard.server = failure
        if failure and heard.asking:
            heard.recipients[heard.asking], heard.asking = failure, None
            losses += 1
        rest = [address for address in waiting if address not in heard.recipients]
        if not rest or heard.sender:
            return heard
        if len(rest) == len(waiting) or losses == MOST_LOST or loop.time() > until:
            heard.lost = failure
            return heard


async def outcome(lend: Lend, sender: str, to: str | None) -> Outcome:
    """Return how a mail to one recipient would fail, or with None how a login would; `Sent` if nothing is refused."""
    heard = await rehearse(lend, sender, [to] if to else [])
    asked = heard.recipients.get(to) if to else None
    return heard.sender or asked or heard.server or Transient(Reason.TIMEOUT, "the mail server gave no answer")


async def _ask(heard: Rehearsal, sender: str, addresses: Sequence[str], until: float, connection: SMTP) -> None:
    """Ask for these recipients over one connection, until it ends, time is up or the sender is refused."""
    code, text = await connection.noop()
    heard.server = heard.server or Sent(_line(code, text))
    for address in addresses:
        if asyncio.get_running_loop().time() > until:
            return
        heard.asking = address
        try:
            await connection.mail(sender)
        except aiosmtplib.SMTPSenderRefused as error:
            heard.sender = classify(Stage.SENDER, error.code, error.message)
            return
        heard.recipients[address], heard.asking = await _answer(connection, address), None
        if not connection.is_connected:
            return
        await connection.rset()


async def _answer(connection: SMTP, address: str) -> Outcome:
    try:
        code, text = await connection.rcpt(address)
    except aiosmtplib.SMTPRecipientRefused as error:
        return classify(Stage.RECIPIENT, error.code, error.message)
    return Sent(_line(code, text))


def _line(code: int, text: str) -> str:
    return f"{code} {' '.join(text.split())}"


UNSEEN = (
    "whether it arrives. Amazon SES and Exchange refuse a sender only after the content; Gmail takes any recipient, "
    "and sends unknown ones back to SMTP_EMAIL later; a server that makes new senders wait (greylisting) may do so "
    "only then; a gateway that takes a text may drop it. `alertgate send-test` sends a message to each recipient"
)


def findings(settings: Settings, heard: Rehearsal, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield the findings about the server, the sender and each recipient."""
    what = f"mail server {settings.mail_host}:{settings.mail_port}"
    if not isinstance(heard.server, Sent):
        yield _refusal(settings, what, heard.server)
        return
    login = "and accepts the login" if settings.mail_user else "without a login"
    yield Finding(Level.OK, what, f"answers {login}: {heard.server.reply}")
    if heard.sender:
        yield _refusal(settings, f"sender {settings.mail_from}", heard.sender)
    for channel, address in targets:
        yield _recipient(settings, heard, address, is_text=is_text_message(channel, address))
    yield Finding(Level.NOTE, "only a real message shows", UNSEEN)


def _recipient(settings: Settings, heard: Rehearsal, address: str, *, is_text: bool) -> Finding:
    what = f"recipient {address}"
    match heard.recipients.get(address):
        case Sent(reply):
            phone = "; whether its gateway makes a text of it, only the phone shows" if is_text else ""
            return Finding(Level.OK, what, f"the mail server takes mail for it: {reply}{phone}")
        case None if heard.sender:
            return Finding(Level.WARN, what, "wasn't asked for, because the server refuses the sender")
        case None if heard.lost:
            return _refusal(settings, what, heard.lost, before="wasn't asked for: ")
        case None:
            return Finding(Level.WARN, what, f"wasn't asked for: the server is too slow to ask for all in {WITHIN:g} s")
        case refused:
            return _refusal(settings, what, refused)


def _refusal(settings: Settings, what: str, outcome: Outcome | None, before: str = "") -> Finding:
    """Return the finding for a refusal: a warning if the server itself calls it temporary."""
    if outcome is None:
        return Finding(Level.FAIL, what, "gave no answer")
    level = Level.WARN if re.match(r"4\d\d ", outcome.reply) else Level.FAIL
    return Finding(level, what, f"{before}{advice(settings, outcome)} ({outcome.reason}: {outcome.reply})")
