"""`alertgate send-test`: a real message to every recipient, or to each contact of one person."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated

import typer

from alertgate.addresses import mask
from alertgate.channel_kinds import AS_MAIL
from alertgate.characters import escaped
from alertgate.cli import database, policy
from alertgate.cli.database import EnvFile
from alertgate.clock import SystemClock
from alertgate.config import Settings
from alertgate.errors import NotFound
from alertgate.ids import new_id
from alertgate.model import Target
from alertgate.notify.channels.registry import open_channels
from alertgate.notify.directory import Directory
from alertgate.notify.test_send import TestSend, send_tests
from alertgate.policy.bounds import did_you_mean
from alertgate.proof import Proof
from alertgate.settings_load import DEFAULT_ENV_FILE, contact_secrets, load
from alertgate.telemetry import configure_logging

WAIT = timedelta(seconds=20)
"""For how long a service that knows more later is asked how far a test message got."""
_ACCEPTED = (
    "The mail server took what is marked sent; that doesn't show that it arrives. Look into each inbox and its spam "
    "folder, and at each phone. Mails that can't be delivered come back to SMTP_EMAIL."
)
_PROVED = {
    Proof.SENT: "its service took it; that doesn't prove that it arrives, so look at the phone",
    Proof.DELIVERED: "it is on the phone; that doesn't prove that anybody saw it",
    Proof.SEEN: "somebody opened it",
    Proof.ACKNOWLEDGED: "somebody answered it",
}


def send_test(
    env_file: EnvFile = DEFAULT_ENV_FILE,
    person: Annotated[
        str | None,
        typer.Option(help="Go through each contact of this person, and wait for what its service can prove."),
    ] = None,
) -> None:
    """Send a test message to every recipient, and print each server's answer and what to do about it.

    With --person to each contact of one person, whenever they are told; and how far it is proved that it arrived.
    """
    settings = load(env_file)
    configure_logging("error", "console")
    if settings.mail_host is None:
        database.require_data_dir(settings, env_file)  # the outbox would make it
    secrets = contact_secrets(env_file)
    directory = policy.directory_of_file(settings, env_file)
    told, unset = (list(directory.targets), []) if person is None else _contacts(directory, person)
    results = asyncio.run(_send(settings, directory, told, wait=WAIT if person else timedelta(0)))
    for line in _lines(results, secrets):
        typer.echo(escaped(line))
    for name in unset:
        typer.echo(escaped(f"FAILED {name}: not tried, because it isn't set"))
    if settings.mail_host and any(result.sent and result.channel in AS_MAIL for result in results):
        typer.echo(_ACCEPTED)
    if unset or not all(result.sent for result in results):
        raise typer.Exit(1)


def _contacts(directory: Directory, name: str) -> tuple[list[Target], list[str]]:
    """Return a person's contacts, and the names of those whose secret isn't set. Raises NotFound."""
    people = directory.policy.people
    found = next((each for each in people.values() if each.name.casefold() == name.strip().casefold()), None)
    if found is None:
        hint = did_you_mean(name, people) or f": name one of {', '.join(people)}."
        raise NotFound(f"There is no person {name}{hint}")
    targets = [(contact, directory.target(contact)) for contact in found.contacts]
    unset = [contact.shown for contact, target in targets if target is None]
    return [target for _, target in targets if target], unset


def _lines(results: list[TestSend], secrets: Mapping[str, str]) -> Iterator[str]:
    for result in results:
        word = "sent" if result.sent else "FAILED"
        shown = result.address if result.channel in AS_MAIL else mask(result.address)
        yield policy.concealed(f"{word:6} {result.channel:6} {shown}: {result.text}", secrets)
        if result.proof_text:
            yield policy.concealed(f"{'':13} {_proof(result)}", secrets)
        if result.advice:
            yield f"{'':13} {result.advice}"


def _proof(result: TestSend) -> str:
    if result.proof is None:
        return result.proof_text or ""
    return f"{result.proof}: {_PROVED[result.proof]}; {result.proof_text}"


async def _send(settings: Settings, directory: Directory, told: list[Target], *, wait: timedelta) -> list[TestSend]:
    clock = SystemClock()
    channels = open_channels(settings, clock)
    try:
        return await send_tests(settings, told, channels, directory.policy.readers_zone, clock, new_id, wait=wait)
    finally:
        for channel in channels:
            await channel.close()
