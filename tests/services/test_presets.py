"""Slack, Discord and Teams: what they are sent, what their answers mean, and that text from devices stays text."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import HTMLResponse

from alertgate.model import ChannelName
from alertgate.notify.channels import discord, slack, teams
from alertgate.notify.channels.base import Level, Reason, Sent, Transient
from alertgate.notify.channels.service import Reply
from tests.fakes import FakeClock
from tests.services import hooks
from tests.services.hooks import HOSTILE, LINK, NOW, message
from tests.services.server import serve

PRESETS = {"slack": slack, "discord": discord, "teams": teams}
PATH = "/api/webhooks/42/secret-of-hook"


def soon() -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + 5


@pytest.fixture(params=PRESETS)
async def served(request, make_settings):
    """Each preset's provider, its channel, and its fake service."""
    provider = PRESETS[request.param].PROVIDER
    async with serve(getattr(hooks, request.param)()) as fake:
        [channel] = provider.from_settings(make_settings(channels_private=True), FakeClock())
        yield provider, channel, fake
        await channel.close()


async def test_a_message_arrives(served):
    """With its title, its lines and its link."""
    _, channel, fake = served
    outcome = await channel.send(message(f"{fake.url}{PATH}"), soon())
    assert isinstance(outcome, Sent)
    [asked] = fake.asked
    said = asked.body.decode()
    assert (asked.method, asked.path, LINK in said, "leak" in said, "Water" in said) == ("POST", PATH, True, True, True)


async def test_a_message_without_a_brief_arrives(served):
    """`send-test` sends such."""
    _, channel, fake = served
    outcome = await channel.send(replace(message(f"{fake.url}{PATH}"), brief=None), soon())
    assert isinstance(outcome, Sent)


async def test_a_page_instead_of_the_service_is_no_success(served):
    """A proxy's sign-in page has the status 200 too."""
    _, channel, fake = served
    fake.script.append(HTMLResponse("<html>Sign in"))
    outcome = await channel.send(message(f"{fake.url}{PATH}"), soon())
    assert isinstance(outcome, Transient)
    assert outcome.reason is Reason.TRY_LATER


async def test_the_address_is_never_shown(served):
    """A service may repeat it."""
    _, channel, fake = served
    fake.answer(404, f"no such hook: {PATH}")
    outcome = await channel.send(message(f"{fake.url}{PATH}"), soon())
    assert "secret-of-hook" not in str(outcome)


async def test_check_sends_nothing(served, make_settings):
    """It says which address is doubtful, without showing it."""
    provider, channel, fake = served
    [good, bad] = await provider.check(
        make_settings(channels_private=True),
        [
            (channel.name, f"{fake.url}{PATH}"),
            (channel.name, f"http://127.0.0.1:9{PATH}"),
            (ChannelName.SMS, "5@x.org"),
        ],
    )
    assert [each.method for each in fake.asked] == ["GET" if channel.name == "discord" else "HEAD"]
    assert (good.level, bad.level) == (Level.OK, Level.FAIL)
    assert "secret-of-hook" not in f"{good}{bad}"


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("name", PRESETS)
def test_each_failure_has_advice(make_settings, name, reason):
    """One sentence, without braces that nobody filled."""
    text = PRESETS[name].PROVIDER.advice(make_settings(), Transient(reason, "x"))
    assert text
    assert "{" not in text


def test_slack_shows_text_as_it_is():
    """`<!channel>` would ring everybody, and `<url|text>` hides where a link goes."""
    body = slack.compose(message("https://x", HOSTILE))["json"]
    assert "<" not in body["text"].replace(LINK, "")
    assert "&lt;!channel&gt; @\u2060everyone &lt;@\u2060123&gt;" in body["text"]
    assert (body["mrkdwn"], body["link_names"]) == (False, False)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_discord_shows_text_as_it_is():
    """Nobody is mentioned, also where it would show as a mention, and no markup is left."""
    body = discord.compose(message("https://x", HOSTILE))["json"]
    assert body["allowed_mentions"] == {"parse": []}
    assert r"\<!channel\> @everyone \<@123\>" in body["content"]
    assert r"\[x\](http://evil.example) \*\*bold\*\* \`code\`" in body["content"]
    assert body["content"].endswith(f"\n{LINK}")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# big", r"\# big"),
        ("a\n## big", "a\n\\## big"),
        ("-# small", r"\-# small"),
        ("  - item", r"  \- item"),
        ("1. item", r"1\. item"),
        ("-12 to 5 (C#), a-b.", r"\-12 to 5 (C#), a-b."),
        ("||hidden||", r"\|\|hidden\|\|"),
        ("\\*", r"\\\*"),
    ],
)
def test_discord_forms_no_headings_and_lists(text, escaped):
    """Their signs are escaped where they begin a line, and not elsewhere: there the backslash would show."""
    assert discord.escape(text) == escaped


def test_teams_shows_text_as_it_is():
    """Runs of text have no markup, and only a card's entities mention anybody."""
    [attachment] = teams.compose(message("https://x", HOSTILE))["json"]["attachments"]
    card = attachment["content"]
    assert {each["type"] for each in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for each in card["body"] for run in each["inlines"]} == {"TextRun"}
    assert card["body"][1]["inlines"][0]["text"] == HOSTILE
    assert "msteams" not in card
    assert [(each["type"], each["url"]) for each in card["actions"]] == [("Action.OpenUrl", LINK)]


@pytest.mark.parametrize("filler", ["&", "*", "🌡️", "a", "👩‍👩‍👧‍👦", "<!channel>"])
def test_long_text_is_cut_to_what_fits(filler):
    """In the service's unit, neither within an escape nor within a character; the link stays."""
    long = message("https://x", filler * 5000)
    text = slack.compose(long)["json"]["text"]
    assert len(text) <= slack.LONGEST
    assert text.endswith(f"…\n{LINK}")
    assert text.count("&") == text.count(";")
    content = discord.compose(long)["json"]["content"]
    assert discord.utf16(content) <= discord.LONGEST
    assert discord.utf16(content) > discord.LONGEST * 0.9
    assert content.endswith(f"…\n{LINK}")
    assert not content.removesuffix(f"…\n{LINK}").endswith("\\")
    card = json.dumps(teams.compose(long)["json"], ensure_ascii=False)
    assert len(card.encode()) < 21_000
    assert LINK in card


async def test_discord_keeps_the_thread_and_waits(make_settings):
    """Without `wait` it says nothing about whether the message is stored."""
    async with serve(hooks.discord()) as fake:
        [channel] = discord.PROVIDER.from_settings(make_settings(channels_private=True), FakeClock())
        outcome = await channel.send(message(f"{fake.url}{PATH}?thread_id=99"), soon())
        await channel.close()
    assert fake.asked[0].query == {"thread_id": "99", "wait": "true"}
    assert outcome == Sent("200 id=7001")


async def test_discord_gets_the_picture_and_then_does_without(make_settings):
    """What can't be read with it is sent once more as text alone."""
    async with serve(hooks.discord()) as fake:
        [channel] = discord.PROVIDER.from_settings(make_settings(channels_private=True), FakeClock())
        fake.answer(400, {"code": 50035, "message": "Invalid Form Body"})
        outcome = await channel.send(message(f"{fake.url}{PATH}", picture=b"\xff\xd8picture"), soon())
        await channel.close()
    first, second = fake.asked
    assert isinstance(outcome, Sent)
    assert b"\xff\xd8picture" in first.body
    assert b'filename="picture.jpeg"' in first.body
    assert second.json["content"]


async def test_slack_gets_plain_text_where_it_cannot_read_the_rest(make_settings):
    """Once, within the same attempt."""
    async with serve(hooks.slack()) as fake:
        [channel] = slack.PROVIDER.from_settings(make_settings(channels_private=True), FakeClock())
        fake.answer(400, "invalid_payload")
        outcome = await channel.send(message(f"{fake.url}{PATH}"), soon())
        fake.answer(400, "invalid_payload")
        fake.answer(400, "invalid_payload")
        failed = await channel.send(message(f"{fake.url}{PATH}"), soon())
        await channel.close()
    assert (outcome.word, list(fake.asked[1].json)) == ("sent", ["text"])
    assert (failed.word, failed.reason, len(fake.asked)) == ("permanent", Reason.FORMAT, 4)


async def test_what_is_plain_already_is_not_sent_twice(make_settings):
    """A message without a picture has no plainer form at Discord."""
    async with serve(hooks.discord()) as fake:
        [channel] = discord.PROVIDER.from_settings(make_settings(channels_private=True), FakeClock())
        fake.answer(400, {"code": 50035, "message": "Invalid Form Body"})
        outcome = await channel.send(message(f"{fake.url}{PATH}"), soon())
        await channel.close()
    assert (outcome.word, outcome.reason, len(fake.asked)) == ("permanent", Reason.FORMAT, 1)


P, T = "permanent", "transient"
GONE, REFUSED, FORMAT = Reason.NO_SUCH_RECIPIENT, Reason.REFUSED, Reason.FORMAT
LARGE, LATER, SENT = Reason.TOO_LARGE, Reason.TRY_LATER, Reason.SENT


@pytest.mark.parametrize(
    ("status", "body", "word", "reason"),
    [
        (200, "ok", "sent", SENT),
        (200, '{"ok":true}', "sent", SENT),
        (200, "", T, LATER),
        (200, "[]", T, LATER),
        (202, "ok", T, LATER),
        (404, "no_service", P, GONE),
        (403, "no_service", P, GONE),
        (200, "no_service", P, GONE),
        (404, "channel_not_found", P, GONE),
        (410, "channel_is_archived", P, GONE),
        (403, "invalid_token", P, GONE),
        (403, "action_prohibited", P, REFUSED),
        (400, "invalid_payload", P, FORMAT),
        (400, "no_text", P, FORMAT),
        (500, "rollup_error", T, LATER),
        (429, "", T, LATER),
        (503, "", T, LATER),
        (404, "<html>", T, REFUSED),
        (410, "<html>", T, REFUSED),
        (302, "", T, REFUSED),
    ],
)
def test_what_slack_means(status, body, word, reason):
    """Its words count, because its statuses vary."""
    found = slack.outcome(Reply(status, body.encode(), {}, str), NOW)
    assert (found.word, found.reason) == (word, reason)


def test_slack_says_how_long_to_wait():
    """One message a second; other webhooks needn't wait."""
    found = slack.outcome(Reply(429, b"rate_limited", {"retry-after": "7"}, str), NOW)
    assert (found.retry_in, found.if_alone.reason) == (timedelta(seconds=7), Reason.UNREACHABLE)


@pytest.mark.parametrize(
    ("status", "body", "word", "reason"),
    [
        (200, {"id": "7"}, "sent", SENT),
        (204, "", "sent", SENT),
        (200, [], T, LATER),
        (200, {"id": None}, T, LATER),
        (404, {"code": 10015, "message": "Unknown Webhook"}, P, GONE),
        (404, {"code": 10003, "message": "Unknown Channel"}, P, GONE),
        (401, {"code": 50027, "message": "Invalid Webhook Token"}, P, GONE),
        (400, {"code": 50035, "message": "Invalid Form Body"}, P, FORMAT),
        (400, {"code": [10015], "message": {}}, P, FORMAT),
        (413, {"code": 40005, "message": "Request entity too large"}, P, LARGE),
        (413, "", P, LARGE),
        (403, {"code": 50013}, T, REFUSED),
        (404, "<html>", T, REFUSED),
        (403, "<html>", T, LATER),
        (500, {}, T, LATER),
        (307, "", T, REFUSED),
    ],
)
def test_what_discord_means(status, body, word, reason):
    """Its codes count."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = discord.outcome(Reply(status, raw, {}, str), NOW)
    assert (found.word, found.reason) == (word, reason)


@pytest.mark.parametrize(
    ("body", "headers", "seconds", "for_all"),
    [
        ({"retry_after": 1.5, "global": False}, {"retry-after": "1"}, 1.5, False),
        ({"retry_after": 1.5}, {"x-ratelimit-reset-after": "4.2"}, 4.2, False),
        ({"retry_after": 64.57, "global": True}, {"retry-after": "65"}, 65, True),
        ({"retry_after": 2}, {"x-ratelimit-global": "true"}, 2, True),
        ("error 1015", {"retry-after": "120"}, 120, True),
        ({"retry_after": "soon"}, {}, None, False),
        ({"retry_after": float("nan")}, {"x-ratelimit-reset-after": "inf"}, 86400, False),
    ],
)
def test_how_long_discord_asks_to_wait(body, headers, seconds, for_all):
    """The longest that it names; a global limit, and one of our address, are those of all webhooks."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = discord.outcome(Reply(429, raw, headers, str), NOW)
    assert (found.reason, found.if_alone is None) == (LATER, for_all)
    assert found.retry_in == (timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize("address", ["https://discord.com/channels/1/2", "https://discord.gg/abc", "discord.com"])
def test_what_is_no_webhook_of_discord_is_refused(address):
    """People copy the channel's address, or an invitation."""
    with pytest.raises(ValueError, match=r"webhook of Discord|web address"):
        discord.check_address(address)


@pytest.mark.parametrize(
    ("status", "body", "word", "reason"),
    [
        (202, "", "sent", SENT),
        (200, "", "sent", SENT),
        (200, "1", "sent", SENT),
        (200, "<html>", T, LATER),
        (200, "Webhook message delivery failed: Microsoft Teams endpoint returned HTTP error 429", T, LATER),
        (200, "Webhook message delivery failed: Microsoft Teams endpoint returned HTTP error 413", P, LARGE),
        (400, {"error": {"code": "TriggerInputSchemaMismatch", "message": "x"}}, P, FORMAT),
        (400, {"error": {"code": "WorkflowTriggerIsNotEnabled", "message": "x"}}, T, REFUSED),
        (401, {"error": {"code": "DirectApiAuthorizationRequired", "message": "x"}}, T, REFUSED),
        (404, {"error": {"code": "WorkflowNotFound", "message": "x"}}, T, REFUSED),
        (404, {"error": "x"}, T, REFUSED),
        (410, "", P, GONE),
        (413, "", P, LARGE),
        (429, "", T, LATER),
        (502, "", T, LATER),
    ],
)
def test_what_teams_means(status, body, word, reason):
    """A success says that a workflow was started, and no more."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = teams.outcome(Reply(status, raw, {}, str), NOW)
    assert (found.word, found.reason) == (word, reason)
