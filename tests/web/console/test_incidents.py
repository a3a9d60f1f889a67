"""The list of incidents, and the page of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.ids import new_id
from alertgate.model import Attempt, ChannelName, IncidentStatus, NotificationStatus, Severity
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.policy import Policy
from alertgate.store import alerts, attempts, incidents, notifications
from alertgate.web.console.filters import FilterReader
from alertgate.web.console.times import Times
from tests.builders import new_alert, new_incident, new_notification
from tests.conftest import DEVICE, Running, serving
from tests.console import queries, seen, sent, signed_in
from tests.fakes import START

LEFT = "3f002b000000000000000001"
RIGHT = "3f002b000000000000000002"


async def stored(service: Running, number: int, **changes) -> str:
    """Store an incident with one alert, and return its id."""
    at = datetime.now(UTC) - timedelta(hours=1) + timedelta(seconds=number)
    made = new_incident(id=new_id(at), opened_at=at, last_alert_at=at, key=f"k{number}{at}", **changes)
    alert = new_alert(id=new_id(at), received_at=at, incident_id=made.id, data={"number": number})
    made = replace(made, last_alert_id=alert.id)

    def store(connection):
        incidents.add(connection, [made])
        alerts.add(connection, [alert])

    await service.gate.store.write(store)
    return made.id


async def test_incidents_are_listed_newest_first_with_how_they_stand(service: Running):
    """Each leads to its page; the first page is live."""
    first = await stored(service, 1, event="leak", severity=Severity.CRITICAL)
    over = {"status": IncidentStatus.RESOLVED, "resolved_at": datetime.now(UTC)}
    second = await stored(service, 2, event="door", **over)
    async with signed_in(service) as client:
        page = await seen(client, "/incidents")
    assert page.text.index("OVER") < page.text.index("CRITICAL")
    assert [page.links["door"], page.links["leak"]] == [f"/incidents/{second}", f"/incidents/{first}"]
    assert "Nobody has it yet." in page.text
    assert ("data-live", "incidents") in page.attributes


async def test_pages_of_incidents_keep_their_filters(service: Running):
    """What is older follows, with no gap and nothing twice."""
    made = [await stored(service, number, event="leak", severity=Severity.WARNING) for number in range(35)]
    await stored(service, 40, event="door", severity=Severity.WARNING)
    async with signed_in(service) as client:
        first = await seen(client, "/incidents?event=le*&severity=warning")
        second = await seen(client, first.links["Older"])
    listed = [
        value for page in (first, second) for name, value in page.attributes if name == "id" and "incident-" in value
    ]
    assert listed == [f"incident-{each}" for each in made[::-1]]
    assert "event=le%2A&severity=warning&before=" in first.links["Older"]
    assert "Older" not in second.links
    assert ("data-live", "incidents") not in second.attributes
    assert second.forms[1].fields["event"] == "le*"


async def test_a_device_is_found_by_its_name_and_a_time_in_the_viewers_zone(make_settings):
    """Names in any case; of a time without a zone the browser's counts."""
    async with serving(make_settings(devices=f"{DEVICE}=Front door")) as service:
        await service.particle()
        await service.particle(coreid="1" * 24)
        async with signed_in(service, zone="Pacific/Auckland") as client:
            found = await seen(client, "/incidents?device=front%20DOOR")
            assert ("Front door: alarm/motion" in found.text, found.text.count("1 alert")) == (True, 1)
            assert (await seen(client, f"/incidents?device={DEVICE}")).text.count("1 alert") == 1
            local = service.gate.clock.now() + timedelta(hours=13)  # in summer
            minute = timedelta(minutes=2)
            since, until = (f"{local + by:%Y-%m-%dT%H:%M}" for by in (-minute, minute))
            assert (await seen(client, f"/incidents?since={since}&until={until}")).text.count("1 alert") == 2
            assert "There are no such incidents" in (await seen(client, f"/incidents?since={until}")).text
            assert "Pacific/Auckland" in found.text


BAD = {
    "severity=purple": "'purple' is none of info, warning, critical",
    "status=gone": "'gone' is none of open, acknowledged, resolved",
    "since=yesterday": "'yesterday' is no time: write it like 2026-11-26 19:30",
    "since=0001-01-01T00:00": "its year isn't one from",
    "until=9999-12-31T23:59": "its year isn't one from",
    "since=2026-11-26&until=2026-11-25": "isn't later than the beginning",
    "before=x": "isn't an id",
    "colour=red": "is no filter of this page",
    f"text={'x' * 101}": "is longer than 100 characters",
    "%22%3E%3Cscript%3E=1": "is no filter of this page",
}


@pytest.mark.parametrize("path", ["/incidents", "/alerts", "/quarantine"])
async def test_filters_that_cannot_be_used_are_named_and_kept(service: Running, path):
    """Nothing is looked for then: a list that ignores a filter says something else than was asked."""
    async with signed_in(service) as client:
        for query, why in BAD.items():
            if query == "status=gone" and path != "/incidents":
                continue
            page = await seen(client, f"{path}?{query}", 422)
            assert why in page.text, query
            assert page.tags.count("script") == page.answer.text.count('<script src="/static/'), query
        page = await seen(client, "/incidents?since=yesterday&device=d", 422)
        assert (page.forms[1].fields["since"], page.forms[1].fields["device"]) == ("yesterday", "d")


async def test_a_search_that_was_cut_says_how_far_it_got_and_goes_on(service: Running):
    """Of many incidents the newest are looked at for a text; the next page looks at older ones."""
    at = datetime.now(UTC) - timedelta(hours=1)
    rare = await stored(service, 0, event="rare")
    many = [
        new_incident(id=new_id(at + timedelta(seconds=n)), opened_at=at, last_alert_at=at, key=f"m{n}")
        for n in range(1, 302)
    ]
    await service.gate.store.write(lambda connection: incidents.add(connection, many))
    async with signed_in(service) as client:
        page = await seen(client, "/incidents?text=rare")
        assert "Searched back to" in page.text
        assert "None of those that were looked at" in page.text
        further = await seen(client, page.links["Search further"])
    assert f"incident-{rare}" in {value for _, value in further.attributes}


async def test_an_incidents_page_tells_its_story(make_settings):
    """What it says, who has it, each attempt with the server's words; the oldest or the newest first."""
    async with serving(make_settings(recipient_email="me@example.com")) as service:
        answer = (
            await service.particle(data={"zone": "hall", "status": "firing", "cam": "https://cam.example.org/1.jpg"})
        ).json()
        await service.settled()
        path = f"/incidents/{answer['incident']['id'] if isinstance(answer['incident'], dict) else answer['incident']}"
        async with signed_in(service, "Ada") as client:
            page = await seen(client, path)
            assert page.links["https://cam.example.org/1.jpg"] == "https://cam.example.org/1.jpg"
            assert ("rel", "noreferrer noopener nofollow") in page.attributes
            assert "opening planned as outbox to me@example.com" in page.text
            assert "only written, to the outbox" in page.text
            form = next(form for form in page.forms if "I'm on it" in form.buttons)
            pressed = {**form.fields, **form.buttons["I'm on it"]}
            answered = await client.post(form.action, data=pressed, headers={"Sec-Fetch-Site": "same-origin"})
            assert answered.headers["location"].startswith(f"{path}?said=")
            after = await seen(client, path)
            assert 'acknowledged by "Ada"' in after.text
            newest = [after.text.index("acknowledged by"), after.text.index("the incident was opened")]
            oldest = (await seen(client, f"{path}?order=oldest")).text
    assert newest == sorted(newest)
    assert oldest.index("the incident was opened") < oldest.index("acknowledged by")


async def test_an_incident_that_is_not_there_is_a_page(service: Running):
    """An id that leads nowhere, and what is no id."""
    async with signed_in(service) as client:
        assert "retention deleted it" in (await seen(client, f"/incidents/{new_id(datetime.now(UTC))}", 404)).text
        await seen(client, "/incidents/x", 422)


async def failed(service: Running, incident_id: str) -> str:
    """Store a notification that failed for good, and return its id."""
    now = datetime.now(UTC)
    found = await service.gate.store.read(lambda connection: incidents.get(connection, incident_id))
    made = new_notification(
        found,
        id=new_id(now),
        channel=ChannelName.OUTBOX,
        status=NotificationStatus.FAILED,
        finished_at=now,
        created_at=now,
        due_at=now,
    )
    tried = Attempt(new_id(now), made.id, now, 0.1, "permanent", "recipient_refused", "550 <b>no</b> \u202esuch user")

    def store(connection):
        notifications.add(connection, [made])
        attempts.add(connection, [tried])

    await service.gate.store.write(store)
    return made.id


async def test_who_could_not_be_told_can_be_told_again_or_dismissed(make_settings):
    """With the server's own words; pressing twice does it once and says so."""
    async with serving(make_settings(recipient_email="me@example.com")) as service:
        incident_id = await stored(service, 1)
        first = await failed(service, incident_id)
        path = f"/incidents/{incident_id}"
        async with signed_in(service, "Ada") as client:
            page = await seen(client, path)
            assert "550 <b>no</b> \\u202esuch user" in page.text
            assert "b" not in page.tags
            form = next(form for form in page.forms if "Send it again" in form.buttons)
            for said in ("retried", "not-failed"):
                answer = await sent(client, form.action, **form.fields)
                assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?said={said}")
                await service.settled()
            assert "Send it again" not in (await seen(client, f"{path}?said=retried")).buttons
            second = await failed(service, incident_id)
            for _ in range(2):
                answer = await sent(client, f"/notifications/{second}/dismiss", to=path)
                assert answer.headers["location"] == f"{path}?said=dismissed"
            assert 'dismissed by "Ada" in the console with API_TOKEN' in (await seen(client, path)).text
            assert (await sent(client, f"/notifications/{new_id(datetime.now(UTC))}/retry", to=path)).status_code == 404
            elsewhere = await sent(client, f"/notifications/{first}/dismiss", to="//evil.example")
            assert elsewhere.headers["location"].startswith("/?said=")


async def test_what_can_no_longer_be_sent_says_why(service: Running):
    """A failure to an address that isn't in the settings any more stays, and the page says what to do."""
    incident_id = await stored(service, 1)
    failure = await failed(service, incident_id)
    async with signed_in(service) as client:
        answer = await sent(client, f"/notifications/{failure}/retry", to="/")
    assert answer.status_code == 409
    assert "can&#39;t be sent any more" in answer.text


async def number(client, path: str) -> int:
    """Return how many statements a page takes: the fewest of several times, as background jobs ask too."""
    return min([len(await queries(client, path)) for _ in range(3)])


async def test_pages_take_as_many_queries_for_many_rows_as_for_few(service: Running):
    """At most 20, also for an incident with thousands of notifications and alerts, whose page stays small."""
    small, large = await stored(service, 1), await stored(service, 2)
    now = datetime.now(UTC)
    await failed(service, small)
    await failed(service, large)
    about = await service.gate.store.read(lambda connection: incidents.get(connection, large))
    many = [
        new_notification(
            about, id=new_id(now), status=NotificationStatus.SENT, finished_at=now, address=f"a{n % 40}@b.example"
        )
        for n in range(2000)
    ]
    tried = [Attempt(new_id(now), each.id, now, 0.1, "sent", "sent", "250 ok" * 20) for each in many]
    more = [new_alert(id=new_id(now), incident_id=large, received_at=now, data={"n": n}) for n in range(3000)]

    def store(connection):
        notifications.add(connection, many)
        attempts.add(connection, tried)
        alerts.add(connection, more)
        incidents.save(connection, [replace(about, alert_count=3001, last_alert_id=more[-1].id)])

    async with signed_in(service) as client:
        before = {
            path: await number(client, path)
            for path in ("/incidents", "/alerts", "/quarantine", "/incidents?text=e", "/alerts?text=e")
        }
        await service.gate.store.write(store)
        after = {path: await number(client, path) for path in before}
        assert all(after[path] <= before[path] for path in before), (before, after)
        of_small, of_large = [await number(client, f"/incidents/{each}") for each in (small, large)]
        assert of_large == of_small <= 20
        assert max(before.values()) <= 20
        assert await number(client, f"/alerts/{more[-1].id}") <= 20
        page = await seen(client, f"/incidents/{large}")
    assert "2,981 older alerts" in page.text
    assert "1,961 older notifications" in page.text
    assert len(page.answer.content) < 50_000


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cellar left", LEFT),
        ("LEFT", LEFT),
        (LEFT.upper(), LEFT),
        ("cellar", "cellar"),  # two are called so: perhaps a sender that is
        ("nas", "nas"),
    ],
)
def test_a_device_is_found_by_a_part_of_its_name_that_no_other_one_has(written, meant):
    """As somebody types who looks for last week's incident."""
    names = DeviceNames.of_policy(Policy(), {LEFT: "Cellar left", RIGHT: "Cellar right"})
    found = FilterReader([("device", written)], Times(ZoneInfo("UTC"), START), names).read(IncidentStatus)
    assert found.sought.device == meant
