"""What Apprise reaches, more than a hundred services: `apprise:URL`. An optional extra, imported when it is used.

Apprise says whether its service took a message, and neither a status nor a reason. It blocks, so it runs in threads;
a time-out only ends the waiting, and a thread that is late may still send.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from alertgate.addresses import mask
from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Severity, Target
from alertgate.notify.channels.base import (
    Channel,
    Finding,
    Level,
    Message,
    Outcome,
    Permanent,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.hidden import Secrets
from alertgate.notify.channels.hook import advise, alone, said_by, soon
from alertgate.notify.channels.service import LONGEST_TEXT, WITHIN
from alertgate.policy.surroundings import AddressCheck

LONGEST = 2000
"""Characters of a message. Apprise cuts to what its service takes, which may be less."""
LONGEST_ADDRESS = 4096
MARGIN = 2.0
"""Seconds that Apprise has to say that its time is over, before nobody waits for it any more."""
FEW = 5
"""So often a message is tried that is refused: a service with several recipients may tell some of them each time."""
MOST_COUNTED = 1000

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_NO_CONNECTION = re.compile(r"connection error|timed? ?out|unreachable|name resolution", re.IGNORECASE)

Library = Callable[[], Any]
"""Returns the module."""


def _library() -> Any:
    return import_module("apprise")


def check_address(address: str) -> None:
    """Raise ValueError unless an address looks like one of Apprise's; whether it is one is known once it is used."""
    if len(address) > LONGEST_ADDRESS or not _URL.fullmatch(address) or not address.isprintable():
        raise ValueError(f"{mask(address)!r} is not an address of Apprise's: write one like tgram://TOKEN/CHAT")


class Post:
    """Hands messages to Apprise: one object and one address for each, so that what it says is about that one."""

    name = ChannelName.APPRISE
    capacity = 4
    repeats_safely = False

    def __init__(self, library: Library = _library, within: float = WITHIN) -> None:
        self._library = library
        self._within = within
        self._threads = ThreadPoolExecutor(2 * self.capacity, thread_name_prefix="apprise")
        self._refused: dict[str, int] = {}

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Hand a message over. What Apprise refuses again and again has failed."""
        outcome = await self._in_time(deadline, lambda within: self._notify(message, within))
        if not isinstance(outcome, Transient) or outcome.reason is not Reason.REFUSED:
            self._refused.pop(message.message_id, None)
            return outcome
        times = self._refused.pop(message.message_id, 0) + 1
        if times >= FEW:
            return Permanent(Reason.REFUSED, outcome.reply)
        self._refused[message.message_id] = times
        if len(self._refused) > MOST_COUNTED:
            del self._refused[next(iter(self._refused))]
        return outcome

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Have Apprise read an address. It can't ask a service anything without sending."""
        if to is None:
            return Sent("Apprise has no server of its own")
        return await self._in_time(deadline, lambda _: self._read(to))

    async def close(self) -> None:
        """Wait for nobody: a thread that hangs ends with its own time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_time(self, deadline: float, act: Callable[[float], Outcome]) -> Outcome:
        loop = asyncio.get_running_loop()
        within = min(self._within, deadline - loop.time() - MARGIN)
        if within <= 0:
            return Transient(Reason.TIMEOUT, "apprise: there was no time left")
        latest = loop.time() + within

        def run() -> Outcome:
            left = latest - loop.time()  # the threads may all have been busy
            return act(left) if left > 0 else Transient(Reason.TIMEOUT, "apprise: all threads are busy")

        try:
            async with asyncio.timeout(within + MARGIN):
                return await loop.run_in_executor(self._threads, run)
        except TimeoutError:
            said = f"apprise: not done within {within:.0f} s; it may still be sent"
            return alone(Transient(Reason.TIMEOUT, said, is_unanswered=True))

    def _read(self, address: str) -> Outcome:
        found = self._opened(address)
        return found if isinstance(found, Permanent | Transient) else Sent("Apprise can read the address")

    def _opened(self, address: str) -> Any:
        """Return Apprise's object for an address, or the outcome if it can't be read. Never raises."""
        try:
            module = self._library()
            opened = module.Apprise(asset=module.AppriseAsset(async_mode=False, secure_logging=True))
            taken = opened.add(address)
        except Exception as error:  # noqa: BLE001  (a plugin's: what it is can't be known)
            return Transient(Reason.REFUSED, f"apprise can't be used with the address: {type(error).__name__}")
        if taken and len(opened) == 1:
            return opened
        said = (
            f"reads {len(opened)} addresses in it; write each into a contact of its own" if taken else "knows none such"
        )
        return Permanent(Reason.NO_SUCH_RECIPIENT, f"apprise can't use the address: it {said}")

    def _notify(self, message: Message, within: float) -> Outcome:
        opened = self._opened(message.to)
        if isinstance(opened, Permanent | Transient):
            return opened
        hide = Secrets(_secrets(message.to)).hide
        try:
            result = opened.notify(
                body=said_by(_untitled(message), LONGEST),
                title=message.subject or "",
                notify_type=_kind(message),
                body_format="text",
                timeout=within,
            )
        except Exception as error:  # noqa: BLE001  (a plugin's)
            return Transient(Reason.REFUSED, _line(hide(f"apprise: {type(error).__name__}: {error}")))
        try:
            return read(result, hide)
        finally:
            result.close()


def read(result: Any, hide: Callable[[str], str]) -> Outcome:
    """Return what Apprise's answer means. What is optional counts as success there, so the attempts are read."""
    services = list(result)
    attempts = [attempt for service in services for attempt in service]
    names = ", ".join(dict.fromkeys(str(service.name) for service in services))
    logs = "; ".join(dict.fromkeys(entry.message for attempt in attempts for entry in attempt.logs))
    words = _line(hide(" ".join(filter(None, ["apprise:", names, logs]))))
    statuses = {attempt.status.name for attempt in attempts}
    if result.status.name == "NOMATCH" or not services:
        return Permanent(Reason.NO_SUCH_RECIPIENT, f"{words} no service takes the address")
    if result.status.name == "SUCCESS" and attempts and all(service.attempts[-1] for service in services):
        return Sent(f"{words} took it" if names else "apprise took it")
    if "FAILURE" not in statuses:
        said = f"{words} (no answer in time; it may still be sent)"
        return alone(Transient(Reason.TIMEOUT, said, is_unanswered=True))
    if _NO_CONNECTION.search(logs):  # a service that was silent for too long is told in the same words
        return alone(Transient(Reason.CONNECTION, words, is_unanswered=True))
    return Transient(Reason.REFUSED, words)


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:LONGEST_TEXT]


def _secrets(address: str) -> list[str]:
    """Return what is secret of an address: all after its scheme, and each part of that."""
    rest = address.partition("://")[2]
    return [rest, *(part for part in re.split(r"[/@:?&=,]", rest) if len(part) > 3)]


def _untitled(message: Message) -> Message:
    return (
        message
        if message.subject is None
        else Message(
            to=message.to,
            text=message.text,
            message_id=message.message_id,
            thread_id=message.thread_id,
            date=message.date,
            brief=message.brief,
        )
    )


def _kind(message: Message) -> str:
    brief = message.brief
    if brief is None or (brief.severity is Severity.INFO and not brief.over):
        return "info"
    if brief.over:
        return "success"
    return "failure" if brief.severity is Severity.CRITICAL else "warning"


ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.APPRISE: check_address})
_ADVICE = MappingProxyType(
    {
        Reason.NO_SUCH_RECIPIENT: "Apprise can't use this address: compare it with its service's page at "
        "https://appriseit.com/services/, and write each address into a contact of its own",
        Reason.REFUSED: "the service that Apprise speaks to didn't take the message, and Apprise says no more of why: "
        "check the tokens in the address",
        Reason.TIMEOUT: "Apprise didn't end in time, so the message may have arrived; it is sent again",
        Reason.CONNECTION: "the service that Apprise speaks to can't be reached: check this machine's network and DNS",
    }
)


def advice(settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG001  (the Provider protocol's signature)
    """Return what went wrong and what to change."""
    return advise("Apprise", outcome, _ADVICE)


def missing(settings: Settings) -> str | None:  # noqa: ARG001  (the Provider protocol's signature)
    """Return how to install Apprise, if it isn't there."""
    return None if find_spec("apprise") else "pip install 'alertgate[apprise]'"


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:  # noqa: ARG001  (the Provider protocol's signature)
    """Return the channel, if Apprise is there; it is imported with the first message."""
    return [] if missing(settings) else [Post()]


def findings(settings: Settings) -> list[Finding]:  # noqa: ARG001  (the Provider protocol's signature)
    """Return nothing: there are no settings."""
    return []


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Have Apprise read each address; nothing more can be known without sending."""
    found = []
    addresses = [address for name, address in told if name is ChannelName.APPRISE]
    for channel in from_settings(settings, SystemClock()) if addresses else []:
        for address in addresses:
            answer = await channel.rehearse(address, soon())
            level = Level.NOTE if isinstance(answer, Sent) else Level.FAIL
            text = "; ".join(filter(None, [answer.reply, advice(settings, answer)]))
            found.append(Finding(level, f"apprise {mask(address)}", text))
        await channel.close()
    return found
