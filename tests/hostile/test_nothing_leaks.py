"""What a whole run writes holds no secret, no whole address and no word of a message; nor does anything's `repr`."""

import asyncio
import json
import subprocess
import sys

import pytest

from alertgate.cli.simulate import Run
from alertgate.notify.channels.base import Message, Picture
from alertgate.store.engine import Store
from alertgate.store.tables import alerts
from tests.builders import alert, notification
from tests.conftest import API, API_BEARER, BEARER, PARTICLE, SIGNING, sign
from tests.fakes import START, mail_sink, until
from tests.flow.process import process

METRICS = "metrics-token-0123456789abcdef"
WORDS = "the-safe-is-open-tonight"
SECRETS = {
    "particle_webhook_secret": PARTICLE,
    "webhook_secret": SIGNING,
    "webhook_token": "webhook-token-0123456789abcdef",
    "api_token": API,
    "metrics_token": METRICS,
    "secret_key": "key-for-cursors-0123456789abcdef",
    "smtp_password": "mail-password-0123456789",
    "particle_webhook_secret_previous": "old-particle-0123456789abcdef",
}
ADDRESSES = [
    "anna.secret@example.com",
    "bert.secret@example.com",
    "alerts.secret@example.com",
    "5550001111@tmomail.net",
]
PRIVATE = [*SECRETS.values(), *ADDRESSES, WORDS]
MAIL = {
    "smtp_host": "127.0.0.1",
    "smtp_security": "none",
    "smtp_email": ADDRESSES[2],
    "smtp_username": ADDRESSES[2],
    "recipient_email": f"{ADDRESSES[0]},{ADDRESSES[1]}",
    "recipient_sms": ADDRESSES[3],
}


def _holds_nothing_private(text: str) -> None:
    found = [word for word in PRIVATE if word.lower() in text.lower()]
    assert not found, next(line for line in text.splitlines() if found[0].lower() in line.lower())


async def _everything(service) -> None:
    """Good requests, bad ones, odd ones, and all that a person can ask for."""
    client = service.client
    body = json.dumps({"event": "e", "message": WORDS, "details": {"to": ADDRESSES[0]}}).encode()
    signed = {"X-Hub-Signature-256": sign(body), "Content-Type": "application/json"}
    event = {"event": "alarm/motion", "coreid": "3f002b", "data": WORDS, WORDS: WORDS}
    await client.post("/webhook/particle", json=event, headers=BEARER)
    await client.post("/webhook/particle", content=f'{{"data":"{WORDS}', headers=BEARER)
    await client.post("/webhook/particle", json={"event": [WORDS], "coreid": {WORDS: 1}}, headers=BEARER)
    await client.post("/webhook/generic", content=body, headers=signed)
    await client.post("/webhook/generic", content=body, headers={**signed, "X-Hub-Signature-256": sign(b"x")})
    wrong = json.dumps({"event": "", "message": 1, "severity": WORDS, "timestamp": WORDS}).encode()
    await client.post("/webhook/generic", content=wrong, headers={**signed, "X-Hub-Signature-256": sign(wrong)})
    paths = (("POST", "/webhook/particle"), ("POST", "/webhook/generic"), ("GET", "/api/alerts"), ("GET", "/metrics"))
    for token in (PARTICLE + "x", API[:-1], SECRETS["smtp_password"]):
        for method, path in paths:
            answer = await client.request(method, path, json=event, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401
            _holds_nothing_private(answer.text + str(answer.headers))
    assert (await client.post("/api/send-test", headers=API_BEARER)).status_code == 200
    await client.get("/api/alerts?cursor=x&limit=y", headers=API_BEARER)
    incidents = (await client.get("/api/incidents", headers=API_BEARER)).json()["items"]
    for incident in incidents:
        trail = (await client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)).json()
        for message in trail["notifications"]:
            await client.post(f"/api/notifications/{message['id']}/retry", headers=API_BEARER)
        await client.post(f"/api/incidents/{incident['id']}/resolve", json={"by": "Anna"}, headers=API_BEARER)


@pytest.mark.parametrize("form", ["json", "console"])
async def test_a_whole_run_writes_nothing_private(tmp_path, form):
    """The log, /metrics, /status, /health and the list of processes, while a mail server refuses and talks too much."""
    async with mail_sink(user=ADDRESSES[2], password=SECRETS["smtp_password"]) as sink:
        sink.answer("RCPT", f"550 5.1.1 <{ADDRESSES[0].upper()}>: no such user {ADDRESSES[0]}")
        sink.answer("RCPT", f"450 4.2.1 <{ADDRESSES[1]}> is over quota")
        sink.answer("MAIL", "250 OK", f"530 5.7.0 {ADDRESSES[2]} may not send")
        extra = {**SECRETS, **MAIL, "smtp_port": sink.port, "log_level": "debug", "data_dir": tmp_path / "data"}
        async with process(tmp_path, log_format=form, **extra) as service:
            await _everything(service)

            async def tried():
                status = (await service.client.get("/status", headers=API_BEARER)).json()
                return any(channel["last_error_reply"] for channel in status["channels"].values()) and status

            status = await until(tried)
            token = {"Authorization": f"Bearer {METRICS}"}
            metrics = await service.client.get("/metrics", headers=token)
            assert metrics.status_code == 200
            health = [(await service.client.get(path)).text for path in ("/health", "/health/ready", "/openapi.json")]
            ps = await asyncio.to_thread(subprocess.run, ["ps", "-ww", "-eo", "args"], capture_output=True, text=True)
            assert str(service.child.pid) not in ps.stdout
            assert "alertgate serve" in ps.stdout
    log = "".join(service.lines)
    assert log.count("sent") > 2
    for written in (log, json.dumps(status), metrics.text, *health, ps.stdout):
        _holds_nothing_private(written)


_DEFECT = """
import structlog
from pydantic import SecretStr
from alertgate.telemetry import configure_logging
configure_logging("info", {form!r})
def guard(secret, message):
    raise RuntimeError("a defect")
try:
    guard({secret!r}, {words!r})
except RuntimeError:
    structlog.stdlib.get_logger("alertgate").exception("stumbled", path="/a\\n\\x1b[31mfake\\u202e\\x9b2J")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_variables_and_no_line_is_forged(form):
    """Where something fails, the secrets and messages that it worked with stay out of the log; so do escapes."""
    code = _DEFECT.format(form=form, secret=PARTICLE, words=WORDS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert "RuntimeError" in done.stderr
    arguments = [line for line in done.stderr.splitlines() if "guard(" not in line]
    _holds_nothing_private("\n".join(arguments))
    assert not [char for char in done.stderr if not char.isprintable() and char != "\n"]
    assert not [line for line in done.stderr.splitlines() if line.startswith(("fake", "\x1b"))]


def test_a_databases_error_shows_no_parameters(make_settings):
    """SQLAlchemy would write what an alert says into its errors."""
    store = Store(make_settings())
    store.open(exclusive=True)
    try:
        with pytest.raises(Exception, match=r"NOT NULL") as caught, store.transaction() as connection:
            connection.execute(alerts.insert(), {"id": "1", "message": WORDS})
    finally:
        store.close()
    _holds_nothing_private(repr(caught.value) + str(caught.value))


def test_nothing_private_is_in_a_repr(make_settings):
    """What a debugger, an assertion or a careless line of log would show."""
    settings = make_settings(**SECRETS, **MAIL)
    story = [
        settings,
        alert(message=WORDS, data={"a": WORDS}, fields={WORDS: 1}, raw=WORDS.encode()),
        notification(address=ADDRESSES[0]),
        Message(ADDRESSES[0], WORDS, "id", "thread", START, WORDS, WORDS, Picture("png", WORDS.encode())),
        Run("http://x", PARTICLE, 1, 1, "d", "e", "data", form=False),
    ]
    for thing in story:
        _holds_nothing_private(repr(thing) + str(thing) + f"{thing!r}")
