"""Which refused senders are told of: those that return with the same credential, and nobody else, whatever comes."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from alertgate.accept.credentials import CredentialCheck
from alertgate.accept.failed_senders import MOST, FailedSenders, Failure, Sender, SenderReason, cause_of, judge, program
from alertgate.model import Severity, Source
from alertgate.prove.troubles import Cause, Trouble
from tests.fakes import FakeClock

PARTICLE_BOT = "ParticleBot/1.1 (https://docs.particle.io/webhooks)"
OLD = "old-token-0123456789abcdef"


@dataclass
class Raised:
    """Stands for the own alerts; it keeps what was raised."""

    found: list[tuple[str, Cause, str]] = field(default_factory=list)

    def raise_(self, trouble, about, *, cause, severity, sender, detail, since):
        assert (trouble, severity) == (Trouble.CREDENTIALS, Severity.WARNING)
        assert OLD not in f"{sender} {detail} {since}"
        self.found.append((about, cause, sender))


def failure(token: str = OLD, *, check: CredentialCheck = CredentialCheck.MISMATCH, **changes) -> Failure:
    """Return a request with an old token."""
    facts = {"webhook": Source.PARTICLE, "address": "192.0.2.7", "user_agent": "curl/8.1", **changes}
    return Failure(check=check, token=token, **facts)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (failure(), Cause.CREDENTIAL_WRONG),
        (failure("short"), None),
        (failure("", check=CredentialCheck.MISSING), None),
        (failure("", check=CredentialCheck.MALFORMED), None),
        (failure("", check=CredentialCheck.MISSING, user_agent=PARTICLE_BOT), Cause.CREDENTIAL_MISSING),
        (failure("", check=CredentialCheck.MALFORMED, user_agent=PARTICLE_BOT), Cause.CREDENTIAL_MISSING),
        (failure("", check=CredentialCheck.MISSING, user_agent=PARTICLE_BOT, webhook=Source.GENERIC), None),
        (failure("", webhook=Source.GENERIC), Cause.CREDENTIAL_WRONG),
        (failure("", check=CredentialCheck.EXPIRED, webhook=Source.GENERIC), Cause.CREDENTIAL_EXPIRED),
        (failure("", check=CredentialCheck.SIGNATURES_OFF, webhook=Source.GENERIC), Cause.CREDENTIAL_OFF),
        (failure(check=CredentialCheck.TOKENS_OFF, webhook=Source.GENERIC), Cause.CREDENTIAL_OFF),
        (failure("short", check=CredentialCheck.TOKENS_OFF, webhook=Source.GENERIC), None),
    ],
)
def test_what_looks_like_a_sender(given, cause):
    """A credential of the right form, or Particle's own name; everything else may be anybody."""
    assert cause_of(given) is cause


@pytest.mark.parametrize(
    ("times", "minutes", "reason"),
    [
        (4, 600, SenderReason.FEW),
        (5, 9.9, SenderReason.BRIEF),
        (1000, 9.9, SenderReason.BRIEF),
        (5, 10, SenderReason.RETURNS),
    ],
)
def test_a_sender_must_return_for_a_while(times, minutes, reason):
    """Five times, and over ten minutes."""
    assert judge(Sender(times, 100, 100 + minutes * 60, Cause.CREDENTIAL_WRONG)) is reason


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (PARTICLE_BOT, "ParticleBot/1.1"),
        ("python-requests/2.31.0", "python-requests/2.31.0"),
        ("Go-http-client/1.1", "Go-http-client/1.1"),
        ("curl", "curl"),
        ("evil.example/1.0", ""),
        ("http://evil.example", ""),
        ("Call +1-900-555 now", "Call"),
        ("x" * 500, ""),
        ("", ""),
        ("\u202eevil/1", ""),
        ("Agent/1.2.evil.example", "Agent/1.2"),
    ],
)
def test_of_a_user_agent_only_the_program_is_shown(agent, shown):
    """A stranger must not be able to write a link into a text message."""
    assert program(agent) == shown


def play(*sent: tuple[float, Failure]) -> list[tuple[str, Cause, str]]:
    """Send requests, each some minutes after the one before; return what was raised."""
    raised, clock = Raised(), FakeClock()
    senders = FailedSenders(raised, clock, b"key")
    for minutes, each in sent:
        clock.move(minutes=minutes)
        senders.note(each)
    return raised.found


def test_a_forgotten_token_is_told_once_a_day_for_each_webhook():
    """However often it is sent, and however many of them there are."""
    minutes = 4 * 24 * 60 - 9
    assert len(play(*[(1, failure())] * minutes)) == 4
    assert len(play(*[(1, failure()), (0, failure("another-token-0123456789"))] * 600)) == 1
    both = [(1, failure()), (0, failure("", webhook=Source.GENERIC))] * 20
    assert [about for about, *_ in play(*both)] == ["particle webhook", "generic webhook"]


def test_a_sender_that_comes_seldom_is_told_too():
    """Every twelve hours; after a day of silence it is forgotten."""
    [told] = play(*[(720, failure(user_agent=PARTICLE_BOT))] * 5)
    assert told == ("particle webhook", Cause.CREDENTIAL_WRONG, "192.0.2.7 (ParticleBot/1.1)")
    assert play(*[(1441, failure())] * 50) == []


def test_guesses_raise_nothing():
    """Each with another token, from one address or many; nor does a scanner that repeats itself for some minutes."""
    guesses = [(0.1, failure(f"guess-{number:020}", address=f"192.0.2.{number % 250}")) for number in range(5000)]
    assert play(*guesses) == []
    assert play(*[(0.09, failure())] * 100) == []


def test_a_flood_of_guesses_does_not_hide_who_returns():
    """What is kept in mind is bounded, and whoever came once goes first."""
    sent = []
    for turn in range(5):
        sent.append((3, failure()))
        sent.append((0, failure()))
        sent += [(0, failure(f"guess-{turn}-{number:020}")) for number in range(3 * MOST)]
    assert len(play(*sent)) == 1


def logged(*sent: tuple[float, Failure]) -> list[dict[str, Any]]:
    """Send requests, each some minutes after the one before; return the lines of the log."""
    with capture_logs() as lines:
        play(*sent)
    return [line for line in lines if line["event"] == "credential.refused"]


def test_a_wrong_token_at_particles_webhook_is_a_warning_that_says_what_to_copy_where():
    """The first time, and then once in ten minutes with how many came meanwhile; the token is never in it."""
    lines = logged(*[(1, failure())] * 25)
    assert [(line["log_level"], line["unsaid"]) for line in lines] == [("warning", 0), ("warning", 9), ("warning", 9)]
    assert "copy PARTICLE_WEBHOOK_SECRET from this service's .env into Particle's console" in lines[0]["detail"]
    assert lines[0]["client"] == "192.0.2.7"
    assert OLD not in str(lines)


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        (failure("short"), "PARTICLE_WEBHOOK_SECRET"),
        (failure("", check=CredentialCheck.MISSING, user_agent=PARTICLE_BOT), "PARTICLE_WEBHOOK_SECRET"),
        (failure("", check=CredentialCheck.MALFORMED, user_agent=PARTICLE_BOT), "PARTICLE_WEBHOOK_SECRET"),
        (failure("", check=CredentialCheck.MISSING), None),
        (failure("", check=CredentialCheck.MALFORMED), None),
        (failure(webhook=Source.GENERIC), "WEBHOOK_TOKEN"),
        (failure("", webhook=Source.GENERIC), "WEBHOOK_SECRET"),
        (failure("", webhook=Source.GENERIC, check=CredentialCheck.MISSING), None),
        (failure("", webhook=Source.GENERIC, check=CredentialCheck.EXPIRED), "clock"),
        (failure("", webhook=Source.GENERIC, check=CredentialCheck.SIGNATURES_OFF), "WEBHOOK_SECRET"),
        (failure(webhook=Source.GENERIC, check=CredentialCheck.TOKENS_OFF), "WEBHOOK_TOKEN"),
    ],
)
def test_each_refused_credential_names_its_setting(given, setting):
    """What scanners send, nothing at all, isn't worth a line."""
    assert [f" {setting} " in f"{line['detail']} " for line in logged((0, given))] == ([True] if setting else [])


def test_guesses_do_not_fill_the_log_nor_hide_particles_own_requests():
    """However many tokens and addresses there are: one line, and one for what calls itself Particle's."""
    guesses = [(0, failure(f"guess-{number:020}", address=f"192.0.2.{number % 250}")) for number in range(2000)]
    assert len(logged(*guesses, (0, failure(user_agent=PARTICLE_BOT)))) == 2
