"""From a device's webhook to programs and chats, over real HTTP."""

import asyncio
import threading
from contextlib import AsyncExitStack
from datetime import timedelta

from starlette.responses import PlainTextResponse, Response
from structlog.testing import capture_logs

from alertgate.model import ChannelName
from alertgate.policy.people import Contact, Person
from tests.conftest import API_BEARER, serving
from tests.fakes import START, FakeClock, until
from tests.flow.household import BERLIN, escalation, household, policy, route, step
from tests.flow.test_nothing_is_lost import raise_alert
from tests.services import hooks
from tests.services.server import FakeService, serve

TOKEN = "syt_secret_token"


async def asked(fake: FakeService, times: int) -> list:
    """Wait until a service was asked so often."""

    async def so_often():
        return len(fake.asked) >= times

    await until(so_often)
    return fake.asked


async def test_each_service_hears_of_an_alarm(make_settings, database):
    """One that can't be reached keeps nobody waiting."""
    async with AsyncExitStack() as stack:
        fakes = {
            name: await stack.enter_async_context(serve(getattr(hooks, maker)()))
            for name, maker in {
                "webhook": "receiver",
                "slack": "slack",
                "discord": "discord",
                "teams": "teams",
                "matrix": "matrix",
                "apprise": "receiver",
            }.items()
        }
        addresses = {name: f"{fake.url}/api/webhooks/42/secret-of-hook" for name, fake in fakes.items()}
        addresses["matrix"] = "!r:hs"
        addresses["apprise"] = addresses["apprise"].replace("http", "json")
        told = [*(f"{name}:{address}" for name, address in addresses.items()), "webhook:http://127.0.0.1:9/away"]
        settings = make_settings(
            recipient_push=",".join(told),
            channels_private=True,
            matrix_url=fakes["matrix"].url,
            matrix_token=TOKEN,
            **database,
        )
        service = await stack.enter_async_context(serving(settings, clock=FakeClock()))
        alert_id = await raise_alert(service.client)
        for fake in fakes.values():
            [one] = await asked(fake, 1)
            assert "alarm" in one.body.decode()
        await service.settled()
        trail = await service.trail(alert_id)
        states = {each["channel"]: each["status"] for each in trail["notifications"] if ":9/" not in each["address"]}
        assert states == dict.fromkeys(fakes, "sent")


async def test_a_receiver_in_the_house_waits_for_no_name_that_is_looked_up(make_settings):
    """The line is down, and the threads that look names up wait for a resolver that doesn't answer."""
    looping, answered = asyncio.get_running_loop(), threading.Event()
    async with serve(hooks.receiver()) as receiver:
        settings = make_settings(recipient_push=f"webhook:{receiver.url}/hook", channels_private=True)
        async with serving(settings) as service:
            lookups = [looping.run_in_executor(None, answered.wait) for _ in range(64)]
            try:
                await raise_alert(service.client)
                [one] = await asked(receiver, 1)
            finally:
                answered.set()
                await asyncio.gather(*lookups)
            assert "alarm" in one.body.decode()


async def test_one_hiccup_of_a_receiver_does_not_make_it_wait_for_one_that_asked_for_a_day(make_settings, database):
    """Its alarm is there seconds later, and the other receiver is left alone."""
    busy = FakeService(lambda _: PlainTextResponse("slow down", 429, {"Retry-After": "86400"}))
    async with serve(busy), serve(hooks.receiver()) as restarting:
        anna = Person("anna", (Contact(ChannelName.WEBHOOK, f"{busy.url}/hook"),), BERLIN)
        ben = Person("ben", (Contact(ChannelName.WEBHOOK, f"{restarting.url}/hook"),), BERLIN)
        ways = (escalation("hers", step("anna")), escalation("his", step("ben")))
        house = policy((anna, ben), ways, (route("hers", event="leak*"), route("his")))
        given = {"channels_private": True, **database}
        async with household(make_settings, house, START, given) as home, home.running():
            for event in ("leak-1", "leak-2", "leak-3"):
                await home.says({"severity": "critical"}, event=event)
                await home.heard()
            state = home.service.gate.deliverer.states[ChannelName.WEBHOOK]
            assert (state.in_doubt, state.probe_at - START) == (True, timedelta(days=1))
            home.clock.move(minutes=1)
            restarting.answer(503, "restarting")
            await home.says({"severity": "critical"}, event="smoke")
            await home.heard()
            home.clock.move(seconds=7)
            home.service.gate.deliverer.wake()
            again = await asked(restarting, 2)
            assert "smoke" in again[1].body.decode()
            await home.service.settled()
            assert len(busy.asked) == 3
            home.clock.move(days=1, minutes=1)
            await asked(busy, 4)


async def test_an_address_that_is_a_secret_is_shown_nowhere(make_settings):
    """Neither by the API nor in a log or a metric, though each service repeats all that it is sent."""

    def repeat(asked):
        return PlainTextResponse(f"{asked.path} {asked.headers} {asked.body.decode(errors='replace')}", 400)

    secret = "s3cr3tOfHook"
    async with serve(FakeService(repeat)) as fake:
        hooked = [f"{name}:{fake.url}/api/webhooks/42/{secret}" for name in ("webhook", "slack", "discord", "teams")]
        told = [
            *hooked,
            f"ntfy:{secret}",
            f"ntfy:{fake.url.replace('//', f'//:tk_{secret}@')}/topic",
            f"pushover:{'u' * 18}{secret}",
            f"apprise:{fake.url.replace('http', 'json')}/{secret}",
        ]
        urls = {"ntfy_url": fake.url, "pushover_url": fake.url, "pushover_token": f"app-token-{secret}"}
        settings = make_settings(recipient_push=",".join(told), channels_private=True, **urls)
        with capture_logs() as lines:
            async with serving(settings, clock=FakeClock()) as service:
                alert_id = await raise_alert(service.client)
                await service.settled()
                shown = [(await service.client.post("/api/send-test", headers=API_BEARER)).text]
                trail = await service.trail(alert_id)
                incident = f"/api/incidents/{trail['incident']['id']}"
                for path in ("/api/notifications", incident, "/api/who?event=x", "/status", "/metrics"):
                    answer = await service.client.get(path, headers=API_BEARER)
                    assert answer.status_code == 200
                    shown.append(answer.text)
    assert {each["address"] for each in trail["notifications"]} >= {"s***", f"{fake.url}/***"}
    everything = "\n".join([*shown, str(trail), *map(str, lines)]).lower()
    at = everything.find(secret.lower())
    assert at < 0, everything[max(at - 200, 0) : at + 50]


async def test_a_receiver_that_was_away_gets_the_message_again(make_settings):
    """With the same id, not before the time for which it asked."""
    clock = FakeClock()
    async with serve(hooks.receiver()) as fake:
        fake.script.append(Response(status_code=503, headers={"retry-after": "120"}))
        settings = make_settings(recipient_push=f"webhook:{fake.url}/in", channels_private=True)
        async with serving(settings, clock=clock) as service:
            await raise_alert(service.client)
            await asked(fake, 1)
            await service.settled()
            clock.move(seconds=60)
            service.gate.deliverer.wake()
            await service.settled()
            assert len(fake.asked) == 1
            clock.move(seconds=61)
            service.gate.deliverer.wake()
            first, second = await asked(fake, 2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.json["incidents"][0]["event"] == second.json["incidents"][0]["event"]
