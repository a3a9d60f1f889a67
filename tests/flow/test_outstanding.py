"""A failure stays visible until somebody has dealt with it: over restarts, on all replicas, and without a storm."""

from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import pytest
import structlog

from alertgate.model import NotificationStatus
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import FakeClock, MailSink, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings
from tests.flow.test_refused import degraded, own_incidents
from tests.scrape import scrape

BAD, GOOD = "anna@example.com", "bea@example.com"
GONE = "550 5.1.1 no such user here"
TITLE = "alertgate: not delivered (notifications)"


def told_both(sink: MailSink, **more: Any) -> dict[str, Any]:
    """Return settings with a recipient whose address the server refuses, and one whom it accepts."""
    sink.refused[BAD] = GONE
    return {**mail_settings(sink.port), "recipient_email": f"{BAD},{GOOD}", **more}


def own_subjects(sink: MailSink) -> list[str]:
    """Return the subjects of the mails about failed notifications, in order."""
    return [each.mail["Subject"] for each in sink.messages if TITLE in each.mail["Subject"]]


async def look(service: Running) -> None:
    """Look at the troubles now, and report them."""
    await service.gate.watch.run()
    await service.gate.own_alerts.run()


async def own_mails(sink: MailSink, count: int) -> list[str]:
    """Wait for as many mails about failed notifications; return their subjects."""

    async def arrived():
        return found if len(found := own_subjects(sink)) >= count else None

    return await until(arrived)


async def is_outstanding(service: Running, number: int) -> list[str]:
    """Wait until /health counts as many outstanding failures; return all that it says."""

    async def counted():
        said = await degraded(service)
        shown = [line for line in said if line.startswith(f"outstanding failures: {number} ")]
        return said if shown else None

    return await until(counted)


async def is_healthy(service: Running) -> None:
    """Wait until /health says of nothing that it doesn't work."""

    async def healthy():
        return not await degraded(service)

    await until(healthy)


async def post(service: Running, path: str, **body: Any) -> Any:
    """Tell the API something; return its answer."""
    answer = await service.client.post(f"/api{path}", json=body or None, headers=API_BEARER)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(service: Running) -> list[dict]:
    """Return the outstanding failures about other incidents than alertgate's own, as the API lists them."""
    answer = await service.client.get("/api/notifications", params={"outstanding": True}, headers=API_BEARER)
    own = {each["id"] for each in await own_incidents(service)}
    return [each for each in answer.json()["items"] if each["incident_id"] not in own]


async def own_status(service: Running, status: str) -> list[dict]:
    """Wait until the latest own incident has a status; return all own incidents."""

    async def has_status():
        found = await own_incidents(service)
        return found if found and found[0]["status"] == status else None

    return await until(has_status)


async def test_who_was_not_told_is_shown_and_told_until_it_is_dismissed(make_settings, database):
    """Anna's address is refused while Bea is told: Bea hears of that once, and of its end; a restart hides nothing."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**database, **told_both(sink))
        async with serving(settings, clock=clock) as service:
            await service.particle(severity="critical")
            assert await own_mails(sink, 1) == [f"[CRITICAL] {TITLE}"]
            said = await is_outstanding(service, 2)
            assert said == [
                "outstanding failures: 2 (email 2): `alertgate failures` lists them; retry or dismiss them"
            ], "the alert, and the gate's own message to the same address"
            text = sink.messages[-1].text.replace("\r\n", "\n")
            assert "1 notification to email a***@example.com not delivered since 14:03: refused for good." in text
            assert "What to do: Tell these people yourself." in text
            status = (await service.client.get("/status", headers=API_BEARER)).json()["outstanding_failures"]
            [failure] = [each for each in status["latest"] if each["event"] == "alarm/motion"]
            assert (status["number"], failure["to"], failure["reply"]) == (2, "a***@example.com", GONE)
            assert failure["retry"] == f"alertgate retry {failure['id']}"
            assert BAD not in str(status) + str(said) + text
            scraped = scrape((await service.client.get("/metrics")).text)
            assert scraped("alertgate_outstanding_failures", channel="email") == 2
        with structlog.testing.capture_logs() as logs:
            async with serving(settings, clock=clock) as service:
                assert await is_outstanding(service, 2) == said
                assert [line["number"] for line in logs if line["event"] == "failures.outstanding"] == [2]
                clock.move(hours=1)
                assert await post(service, "/notifications/dismiss", by="Cleo") == {"dismissed": 2}
                await is_healthy(service)
                assert await own_mails(sink, 2) == [f"[CRITICAL] {TITLE}", f"[RESOLVED] {TITLE}"]
                [incident] = await own_status(service, "resolved")
                assert (incident["severity"], incident["resolution"]) == ("critical", "alert")
                trail = (await service.client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)).json()
                failed = [each for each in trail["notifications"] if each["status"] == "failed"]
                assert [each["dismissed_by"] for each in failed] == ["Cleo"]
        async with serving(settings, clock=clock) as service:
            await service.gate.failures.look()
            assert await degraded(service) == []
    assert {each.to for each in sink.messages} == {GOOD}


async def test_a_bad_address_is_no_storm_for_the_others(make_settings):
    """Through a night in which nothing reaches Anna, Bea hears of that a few times: when it has doubled, at most."""
    clock = FakeClock()
    async with mail_sink() as sink, serving(make_settings(**told_both(sink)), clock=clock) as service:
        for number in range(60):
            await service.particle(coreid=f"d{number}")
            await service.settled()
            await is_outstanding_at_least(service, number + 1)
            if number in {0, 1, 59}:
                await is_told(service, number + 1)
            clock.move(minutes=10)
        await service.settled()
        assert 2 <= len(own_subjects(sink)) <= 7, "of 1, 2, 4, 8, 16 and 32, and of a few between"
        assert len(await own_incidents(service)) == 1
        assert {each.to for each in sink.messages} == {GOOD}


async def is_told(service: Running, number: int) -> None:
    """Wait until the gate's own incident tells of this many, or of half as many at least."""

    async def told():
        answer = await service.client.get("/api/alerts", params={"source": "alertgate"}, headers=API_BEARER)
        items = answer.json()["items"]
        return items and items[0]["data"]["count"] > number / 2

    await until(told)


async def is_outstanding_at_least(service: Running, number: int) -> None:
    """Wait until the gate knows of as many outstanding failures."""

    async def known():
        await service.gate.failures.look()
        latest = service.gate.failures.latest
        return latest and sum(contact.number for contact in latest.contacts) >= number

    await until(known)


async def test_one_incident_that_goes_on_is_one_failure(make_settings):
    """However often its updates fail: the last one would tell everything, so that alone is to be dealt with."""
    clock = FakeClock()
    async with mail_sink() as sink, serving(make_settings(**told_both(sink)), clock=clock) as service:
        for number in range(4):
            alert_id = (await service.particle(data=str(number))).json()["id"]
            await service.settled()
            clock.move(minutes=10)
        notifications = (await service.trail(alert_id))["notifications"]
        failed = [each for each in notifications if each["status"] == "failed"]
        assert len(failed) == 4
        assert [each["superseded_by"] for each in failed] == [*(each["id"] for each in failed[1:]), None]
        assert [each["id"] for each in await listed(service)] == [failed[-1]["id"]]


async def test_a_retry_that_fails_again_is_no_all_clear(make_settings):
    """The gate's incident stays open while it is retried, and ends once that was delivered."""
    clock = FakeClock()
    async with mail_sink() as sink, serving(make_settings(**told_both(sink)), clock=clock) as service:
        await service.particle()
        await own_mails(sink, 1)
        await service.settled()
        [failure] = await listed(service)
        sink.open.clear()  # the server takes its time
        del sink.refused[BAD]
        clock.move(minutes=1)
        await post(service, f"/notifications/{failure['id']}/retry")
        assert await listed(service) == []
        for _ in range(2):
            await look(service)
        [incident] = await own_incidents(service)
        assert incident["status"] == "open"
        sink.answer("DATA", GONE)
        sink.open.set()
        await until(lambda: listed(service))
        [incident] = await own_incidents(service)
        assert (incident["status"], incident["alert_count"]) == ("open", 1)
        [again] = await listed(service)
        assert again["id"] == failure["id"]
        await post(service, f"/notifications/{failure['id']}/retry")
        await own_status(service, "resolved")
    assert next(each for each in sink.messages if each.to == BAD).mail["Subject"].endswith("alarm/motion")


async def test_a_later_message_that_arrives_ends_it(make_settings):
    """Once Anna's address works again, the next update tells her all, and nothing is left to be done."""
    clock = FakeClock()
    async with mail_sink() as sink, serving(make_settings(**told_both(sink)), clock=clock) as service:
        await service.particle()
        await own_mails(sink, 1)
        await service.settled()
        del sink.refused[BAD]
        clock.move(minutes=6)
        await service.particle(data="again")
        await own_status(service, "resolved")
        assert await listed(service) == []


async def test_replicas_agree(make_settings, postgres_database):
    """Two processes tell it once, and its end once, whichever of them it was dismissed at."""
    clock = FakeClock()
    async with mail_sink() as sink, AsyncExitStack() as stack:
        settings = make_settings(database_url=postgres_database, **told_both(sink))
        one, two = [await stack.enter_async_context(serving(settings, clock=clock)) for _ in range(2)]
        await one.particle()
        for service in (one, two):
            await is_outstanding(service, 2)
        await own_mails(sink, 1)
        await one.settled()
        clock.move(minutes=5)
        for service in (one, two):
            await look(service)
        await one.settled()
        assert len(own_subjects(sink)) == 1
        await post(two, "/notifications/dismiss")
        for service in (one, two):
            await is_healthy(service)
        assert len(await own_mails(sink, 2)) == 2
        await own_status(one, "resolved")
        for service in (one, two):
            await look(service)
        assert len(await own_incidents(two)) == 1


async def test_what_nobody_was_told_of_is_a_finding_after_its_end_too(make_settings):
    """All mail failed for an hour, and its message alone still does: it ends in silence, and the gate says so."""
    clock = FakeClock()
    async with mail_sink() as sink:
        await sink.stop()
        settings = make_settings(**mail_settings(sink.port), give_up_after=3600, resolve_after=86_400)
        async with serving(settings, clock=clock) as service:
            answer = (await service.particle()).json()
            clock.move(hours=2)
        async with serving(settings, clock=clock) as service:

            async def failed_again():
                # What is given up on is tried once more, and then in a quarter of an hour.
                [notification, *_] = (await service.trail(answer["id"]))["notifications"]
                is_due = datetime.fromisoformat(notification["due_at"]) <= clock.now()
                return notification["status"] == NotificationStatus.FAILED and not is_due

            await until(failed_again)
            assert (await service.trail(answer["id"]))["incident"]["status"] == "open"
    clock.move(minutes=1)  # so that the gate's own message, if it was tried and failed like all mail, is due again
    async with mail_sink() as sink:
        spam = "554 5.7.1 refused as spam"
        sink.judge = lambda command, _, said: spam if command == "DATA" and "alertgate" not in said else None
        settings = make_settings(**mail_settings(sink.port), resolve_after=1800)
        async with serving(settings, clock=clock) as service:

            async def over():
                return (await service.trail(answer["id"]))["incident"]["resolution"] == "silence"

            await until(over)
            await service.gate.auditor.run()
            said = await is_outstanding(service, 1)
            assert [line.partition(" (")[0] for line in said] == ["nobody_told: 1", "outstanding failures: 1"]
            await own_mails(sink, 1)
            await post(service, "/notifications/dismiss")
            await service.gate.auditor.run()
            await is_healthy(service)


@pytest.mark.parametrize("by", [{}, {"by": "Cleo"}])
async def test_a_failure_is_dismissed_once(make_settings, database, by):
    """Again changes nothing; what has not failed can't be dismissed; the trail says who did."""
    async with mail_sink() as sink:
        settings = make_settings(**database, **told_both(sink))
        async with serving(settings, clock=FakeClock()) as service:
            alert_id = (await service.particle()).json()["id"]
            [failure] = await until(lambda: listed(service))
            first = await post(service, f"/notifications/{failure['id']}/dismiss", **by)
            again = await post(service, f"/notifications/{failure['id']}/dismiss", by="Dora")
            assert (first["status"], first["dismissed_by"], again) == ("failed", by.get("by", "api"), first)
            [sent] = [e for e in (await service.trail(alert_id))["notifications"] if e["address"] == GOOD]
            refused = await service.client.post(f"/api/notifications/{sent['id']}/dismiss", headers=API_BEARER)
            assert (refused.status_code, "only a failed one" in refused.json()["detail"]) == (409, True)
            await post(service, f"/notifications/{failure['id']}/retry")
            [retried] = [e for e in (await service.trail(alert_id))["notifications"] if e["id"] == failure["id"]]
            assert retried["dismissed_at"] is None
