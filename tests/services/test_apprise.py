"""Apprise, the package itself: what it is given, and what its answers mean."""

import asyncio
import sys
import threading
from types import SimpleNamespace

import apprise as package
import pytest
from starlette.responses import Response

from alertgate.model import ChannelName, Severity
from alertgate.notify.channels import apprise
from alertgate.notify.channels.base import Level, Reason, Transient
from tests.fakes import FakeClock
from tests.services.hooks import HOSTILE, LINK, message
from tests.services.server import FakeService, serve

SECRET = "x7Kq9aPzHn4w"


def soon(seconds: float = 8) -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture
async def fake():
    """A service that Apprise has a plugin for: any that takes JSON."""
    async with serve(FakeService(lambda _: Response(status_code=200))) as service:
        yield service


@pytest.fixture
async def channel(make_settings):
    """The channel."""
    [opened] = apprise.from_settings(make_settings(), FakeClock())
    yield opened
    await opened.close()


def at(fake: FakeService, more: str = "") -> str:
    """Return the service's address as Apprise writes it."""
    return f"{fake.url.replace('http', 'json')}/{SECRET}{more}"


async def test_a_message_is_handed_over(channel, fake):
    """With its title, its text and its link as they are, and no more proof than that."""
    outcome = await channel.send(message(at(fake), HOSTILE), soon())
    [asked] = fake.asked
    assert (outcome.word, outcome.proof, outcome.reply) == ("sent", "sent", "apprise: JSON took it")
    assert asked.json["title"] == "[CRITICAL] Boiler room: leak"
    assert asked.json["message"] == f"{HOSTILE}\n{LINK}"
    assert asked.json["type"] == "failure"


@pytest.mark.parametrize(
    ("severity", "over", "kind"),
    [
        ("critical", True, "success"),
        ("critical", False, "failure"),
        ("warning", False, "warning"),
        ("info", False, "info"),
    ],
)
async def test_a_service_with_colours_shows_how_bad_it_is(channel, fake, severity, over, kind):
    """Apprise has four kinds."""
    await channel.send(message(at(fake), severity=Severity(severity), over=over), soon())
    assert fake.asked[0].json["type"] == kind


async def test_what_is_refused_is_tried_a_few_times(channel, fake):
    """A service with several recipients may tell some of them each time. Another message is counted by itself."""
    fake.usual = lambda asked: Response(f"no {asked.path}", 403)
    found = [await channel.send(message(at(fake)), soon()) for _ in range(apprise.FEW)]
    assert [each.word for each in found] == ["transient"] * (apprise.FEW - 1) + ["permanent"]
    assert {each.reason for each in found} == {Reason.REFUSED}
    assert "403" in found[0].reply
    assert SECRET not in f"{found}"
    other = await channel.send(message(at(fake), message_id="n2@alertgate.local"), soon())
    assert other.word == "transient"


async def test_optional_is_no_success(channel, fake):
    """Apprise counts it as one."""
    fake.usual = lambda _: Response(status_code=500)
    outcome = await channel.send(message(at(fake, "?optional=yes")), soon())
    assert (outcome.word, outcome.reason) == ("transient", Reason.REFUSED)


async def test_a_service_that_is_away_is_tried_on(channel):
    """For as long as any other."""
    for _ in range(apprise.FEW + 1):
        outcome = await channel.send(message(f"json://127.0.0.1:9/{SECRET}"), soon())
        assert (outcome.word, outcome.reason) == ("transient", Reason.CONNECTION)
        assert outcome.if_alone.reason is Reason.UNREACHABLE
    assert SECRET not in str(outcome)


async def test_a_service_that_hangs_ends_before_the_lease(fake):
    """What is known then is nothing: it may still be sent."""
    never = asyncio.Event()

    async def hang(_):
        await never.wait()
        return Response()

    fake.usual = hang
    channel = apprise.Post(within=0.2)
    outcome = await channel.send(message(at(fake)), soon())
    never.set()
    await channel.close()
    assert (outcome.word, outcome.reason, outcome.is_unanswered) == ("transient", Reason.TIMEOUT, True)
    assert "may still be sent" in outcome.reply
    assert outcome.if_alone.reason is Reason.UNREACHABLE  # others are other services


async def test_apprise_itself_may_hang():
    """Nobody waits for its thread."""
    entered, end = threading.Event(), threading.Event()

    class Hanging(package.Apprise):
        def notify(self, *args, **kwargs):
            entered.set()
            end.wait()
            return super().notify(*args, **kwargs)

    module = SimpleNamespace(Apprise=Hanging, AppriseAsset=package.AppriseAsset)
    channel = apprise.Post(lambda: module, within=0.1)
    outcome = await channel.send(message("json://127.0.0.1:9/x"), soon(apprise.MARGIN + 0.1))
    assert entered.is_set()
    end.set()
    await channel.close()
    assert (outcome.reason, outcome.is_unanswered, outcome.if_alone.reason) == (
        Reason.TIMEOUT,
        True,
        Reason.UNREACHABLE,
    )


async def test_nothing_is_sent_after_the_deadline(channel, fake):
    """Another process may have the message by then."""
    outcome = await channel.send(message(at(fake)), soon(0.5))
    assert (outcome.reason, outcome.is_unanswered, outcome.if_alone) == (Reason.TIMEOUT, False, None)
    assert fake.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "nonsense://x7Kq9aPzHn4w",
        "tgram://x7Kq9aPzHn4w",
        "json://127.0.0.1:9/a,json://127.0.0.1:8/x7Kq9aPzHn4w",
        "json://",
    ],
)
async def test_an_address_that_is_none_is_for_good(channel, address):
    """Two in one are refused too: nobody could say which of them a failure is about."""
    outcome = await channel.send(message(address), soon())
    assert (outcome.word, outcome.reason) == ("permanent", Reason.NO_SUCH_RECIPIENT)
    assert SECRET not in str(outcome)
    assert (await channel.rehearse(address, soon())).word == "permanent"


async def test_a_plugin_that_raises_is_an_outcome(caplog):
    """Without the secret that its words may have."""

    class Broken(package.Apprise):
        def notify(self, *_, **__):
            raise RuntimeError(f"no {SECRET}")

    channel = apprise.Post(lambda: SimpleNamespace(Apprise=Broken, AppriseAsset=package.AppriseAsset))
    outcome = await channel.send(message(f"json://127.0.0.1:9/{SECRET}"), soon())
    await channel.close()
    assert (outcome.word, outcome.reason) == ("transient", Reason.REFUSED)
    assert SECRET not in f"{outcome}{caplog.text}"


LOGGED = """
import asyncio, sys
from alertgate import telemetry
from alertgate.notify.channels import apprise
from tests.services.hooks import message
telemetry.configure_logging("debug", "json")
async def send():
    found = await apprise.Post().send(message(sys.argv[1]), asyncio.get_running_loop().time() + 8)
    print(found.reply)
asyncio.run(send())
"""


async def test_no_log_has_the_secret(fake):
    """Apprise logs addresses and messages, also where LOG_LEVEL is debug."""
    fake.usual = lambda _: Response(status_code=404)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOGGED, at(fake), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert b"404" in said
    assert SECRET.encode() not in said
    assert LINK.encode() not in said


async def test_check_reads_each_address(make_settings, fake):
    """It can't know more without sending, and says so."""
    told = [(ChannelName.APPRISE, at(fake)), (ChannelName.APPRISE, "nonsense://x7Kq9aPzHn4w")]
    found = await apprise.check(make_settings(), told)
    assert [each.level for each in found] == [Level.NOTE, Level.FAIL]
    assert (fake.asked, SECRET in f"{found}") == ([], False)


@pytest.mark.parametrize(
    "address",
    ["", "json", "json://", "tgram://a b", "://x", "json://x\n", pytest.param("json://" + "x" * 10**7, id="long")],
)
def test_what_is_no_url_is_refused(address):
    """At once, without the package."""
    with pytest.raises(ValueError, match="address of Apprise"):
        apprise.check_address(address)


@pytest.mark.parametrize("reason", Reason)
def test_each_failure_has_advice(make_settings, reason):
    """One sentence."""
    assert apprise.advice(make_settings(), Transient(reason, "x"))
