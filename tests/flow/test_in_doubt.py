"""Somebody may have got a message of which no answer came. So they hear, too, that somebody else has it."""

from tests.conftest import API_BEARER
from tests.fakes import START, MailSink, mail_sink, until
from tests.flow.household import escalation, household, person, policy, step
from tests.flow.process import process
from tests.flow.test_nothing_is_lost import let_leases_run_out, mail_settings, raise_alert

HOUSE = policy((person("owner"), person("partner")), (escalation("home", step("owner"), step("partner", after=10)),))
HAS_IT = "partner: ACKNOWLEDGED owner has it: acknowledged at 14:13. You needn't do anything."
RULES = """
[people.owner]
contacts = ["email:owner@example.com"]
[people.partner]
contacts = ["email:partner@example.com"]
[escalations.home]
steps = [{ notify = ["partner"] }]
[[routes]]
escalation = "home"
"""


class HangsUp:
    """A mail server that takes the partner's first mail, and hangs up before it says so."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink
        self.taken: list[str] = []
        sink.judge = self

    def __call__(self, command: str, address: str, said: str) -> str | None:
        """Take a mail without an answer."""
        if command != "DATA" or not address.startswith("partner@") or self.taken:
            return None
        self.taken.append(said)
        for protocol in self._sink.protocols:
            if protocol.transport:
                protocol.transport.close()
        return "250 2.0.0 OK"


async def test_who_may_have_been_told_hears_who_has_it(make_settings, database):
    """The server has the mail, and its answer was lost; before it is sent again, the owner acknowledges."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        assert await home.heard() == ["owner: WARNING A new alert."]
        server = HangsUp(home.sink)
        assert await home.sleeps(10) == []
        assert len(server.taken) == 1
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        assert await home.heard() == [HAS_IT]
        assert await home.passes(30) == []


async def test_who_was_surely_not_told_does_not_hear_who_has_it(make_settings, database):
    """The server refuses the partner's mail for now."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        assert await home.heard() == ["owner: WARNING A new alert."]
        home.sink.refused["partner@example.com"] = "451 4.3.0 try again later"
        assert await home.sleeps(10) == []
        assert "partner@example.com" in home.sink.recipients_seen
        home.sink.refused.clear()
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        assert await home.passes(30) == []


async def test_who_may_have_been_told_before_a_kill_hears_who_has_it(tmp_path, database):
    """The service was killed before it recorded the answer; after its restart, before any retry, somebody has it."""
    rules = tmp_path / "alertgate.toml"
    rules.write_text(RULES)
    async with mail_sink() as sink:
        sink.open.clear()
        settings = {**mail_settings(sink.port), "recipient_email": "", "policy_file": rules, **database}
        async with process(tmp_path, **settings) as first:
            alert = await raise_alert(first.client, data="water")
            await sink.talking.wait()
            await first.kill()
        await sink.stop()
        if database:
            let_leases_run_out(database["database_url"])
        async with process(tmp_path, **settings) as second:

            async def pending_again():
                trail = (await second.client.get(f"/api/alerts/{alert}", headers=API_BEARER)).json()
                [told] = trail["notifications"]
                return [trail["incident"]["id"]] if told["status"] == "pending" else []

            [number] = await until(pending_again)
            body = {"by": "owner"}
            answer = await second.client.post(f"/api/incidents/{number}/acknowledge", json=body, headers=API_BEARER)
            assert answer.status_code == 200
            await sink.start()

            async def news():
                return [mail.to for mail in sink.messages if "owner has it" in mail.text]

            assert await until(news) == ["partner@example.com"]
