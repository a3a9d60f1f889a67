"""A wrong password, from many due notifications to what the mail server sees: failed logins get an address banned."""

from alertgate.model import ChannelName
from alertgate.notify.channels.connect import REFUSED_FOR
from tests.conftest import API_BEARER, serving
from tests.fakes import FakeClock, until
from tests.flow.test_nothing_is_lost import mail_settings, raise_alert
from tests.mail_script import REFUSED, scripted_server, token_endpoint

NUMBER = 12
RECIPIENTS = {"recipient_email": "me@example.com,you@example.com", "recipient_sms": "555@texts.example.com"}
CHANNELS = (ChannelName.EMAIL, ChannelName.SMS)


async def paused(service):
    """Whether both channels are paused, and nothing is being sent."""
    states = service.gate.deliverer.states
    return not any(states[name].up for name in CHANNELS) and not service.gate.deliverer.here


async def test_a_wrong_password_costs_one_login_and_is_tried_again_by_the_probes(make_settings):
    """36 messages over two channels are due: one login, then both pause; each probe is one more, until it is right."""
    clock, passwords = FakeClock(), ["wrong"]

    def judge(_mechanism: str, _given: str) -> str:
        return REFUSED if passwords == ["wrong"] else "235 2.7.0 welcome"

    async with scripted_server(judge=judge) as server:
        settings = make_settings(
            **{**mail_settings(server.port), **RECIPIENTS}, smtp_password="secret", smtp_connections=5, flood_limit=0
        )
        async with serving(settings, clock=clock) as service:
            for number in range(NUMBER):
                await raise_alert(service.client, coreid=f"d{number}")
            await until(lambda: paused(service))
            assert (len(server.said("AUTH")), server.connections) == (1, 1)
            status = (await service.client.get("/status", headers=API_BEARER)).json()
            for name in CHANNELS:
                shown = status["channels"][name]
                assert (shown["state"], shown["last_error_reason"]) == ("paused", "credentials")
                assert shown["last_error_reply"] == REFUSED

            probed = service.gate.deliverer.states[ChannelName.EMAIL].failures
            clock.move(seconds=REFUSED_FOR + 60)
            service.gate.deliverer.wake()

            async def both_probed():
                states = service.gate.deliverer.states
                return all(states[name].failures > probed for name in CHANNELS) and await paused(service)

            await until(both_probed)
            assert len(server.said("AUTH")) == 2  # the probe of one channel answers for the other's

            passwords.clear()
            clock.move(minutes=10)
            service.gate.deliverer.wake()

            async def all_told():
                service.gate.deliverer.wake()
                return server.mails == 3  # one digest for each recipient

            await until(all_told)


async def test_a_revoked_refresh_token_pauses_the_channel_and_nothing_of_it_is_logged(make_settings, capfd):
    """The reason is the channel's credentials, with what to do."""
    refused = (400, b'{"error":"invalid_grant","error_description":"revoked: refresh-token-0123456789"}')
    oauth = {"smtp_oauth_client_id": "gate", "smtp_oauth_refresh_token": "refresh-token-0123456789"}
    async with token_endpoint(answers=[refused] * 9) as endpoint, scripted_server(auth="XOAUTH2") as server:
        settings = make_settings(**mail_settings(server.port), **oauth, smtp_oauth_token_url=endpoint.url)
        async with serving(settings, clock=FakeClock()) as service:
            for number in range(NUMBER):
                await raise_alert(service.client, coreid=f"d{number}")
            deliverer = service.gate.deliverer

            async def is_paused():
                return not deliverer.states[ChannelName.EMAIL].up and not deliverer.here

            await until(is_paused)
            status = (await service.client.get("/status", headers=API_BEARER)).json()
    shown = status["channels"]["email"]
    assert shown["last_error_reason"] == "credentials"
    assert "set a new SMTP_OAUTH_REFRESH_TOKEN (docs/mail.md)" in shown["last_error_reply"]
    assert (len(endpoint.forms), server.said("AUTH")) == (1, [])
    out, err = capfd.readouterr()
    assert "refresh-token-0123456789" not in out + err + str(status)
