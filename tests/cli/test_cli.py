"""The command line, as a process, the way a person uses it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from sqlalchemy import make_url

from alertgate.cli.template import public_address
from tests.cli import forked
from tests.conftest import PARTICLE, serving
from tests.fakes import mail_sink
from tests.flow.process import process

UNFIT = (
    "is set, but only for X-Hub-Signature-256: the Standard Webhooks libraries can't use it, because they expect "
    "`whsec_` and padded standard base64, as `alertgate init` writes it"
)
NO_MAILBOX = "there is no such mailbox: correct the address in RECIPIENT_EMAIL or RECIPIENT_SMS, or remove it"
NO_SERVER = "fail  mail: no server is set: messages go to data/outbox, and nobody is told; set SMTP_EMAIL or SMTP_HOST"
GOOD = {"PARTICLE_WEBHOOK_SECRET": PARTICLE}


async def alertgate(*arguments: str, cwd, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a directory, with only PATH, COLUMNS and `env` in its environment."""
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "120", **(env or {})}
    return await asyncio.to_thread(forked.run, list(arguments), cwd=cwd, env=environment, timeout=300)


@pytest.mark.parametrize("command", [["check"], ["who"], ["--help"], ["nothing"], ["healthcheck", "--help"]])
async def test_a_fork_does_what_a_process_does(tmp_path, command):
    """That is how the other tests here run commands: with the same words, exit code and environment."""
    env = {**GOOD, "COLUMNS": "70", "TZ": "America/New_York", "PATH": os.environ["PATH"]}
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False}
    program = [sys.executable, "-m", "alertgate", *command]
    done = await asyncio.to_thread(subprocess.run, program, cwd=tmp_path, env=env, **options)
    fork = await alertgate(*command, cwd=tmp_path, env=env)
    assert (fork.returncode, fork.stdout, fork.stderr) == (done.returncode, done.stdout, done.stderr)
    assert fork.stdout or fork.stderr


def which(env: dict[str, str]) -> str:
    """How commands name the database; without the name of its user."""
    if "DATABASE_URL" not in env:
        return f"{env['DATA_DIR']}/alertgate.db"
    url = make_url(env["DATABASE_URL"])
    return f"PostgreSQL database {url.database} at {url.query['host']}"


async def test_check_names_an_id_that_is_nearly_a_devices(tmp_path):
    """Its name in DEVICES would never be shown."""
    env = {**GOOD, "DEVICES": "e00fce68=Cellar"}
    lines = (await alertgate("check", "--offline", cwd=tmp_path, env=env)).stdout.splitlines()
    assert [line for line in lines if line.startswith("warn  DEVICES: has 'e00fce68', which isn't the id of")] != []


async def test_version(tmp_path):
    """--version names the installed version."""
    assert (await alertgate("--version", cwd=tmp_path)).stdout == f"alertgate {version('alertgate')}\n"


async def test_init_writes_fresh_secrets_that_only_the_owner_can_read(tmp_path):
    """Each secret is new, good enough for `check`, and the file's mode is 0600."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert (await alertgate("init", cwd=tmp_path / name)).returncode == 0
    one, two = ((tmp_path / name / ".env").read_text() for name in ("one", "two"))
    secrets = [line for line in one.splitlines() if line and line[0] != "#"]
    assert [secret.partition("=")[0] for secret in secrets] == [
        *("SECRET_KEY", "PARTICLE_WEBHOOK_SECRET", "WEBHOOK_SECRET", "API_TOKEN", "METRICS_TOKEN")
    ]
    assert not set(secrets) & set(two.splitlines())
    assert (tmp_path / "one" / ".env").stat().st_mode & 0o777 == 0o600
    checked = (await alertgate("check", cwd=tmp_path / "one")).stdout.splitlines()
    assert {line.split()[1] for line in checked if line.startswith("fail")} == {"recipients:", "mail:"}


async def test_init_never_overwrites(tmp_path):
    """An existing .env stays as it is; with --if-missing that is no error."""
    (tmp_path / ".env").write_text("API_TOKEN=mine-mine-mine-mine\n")
    refused = await alertgate("init", cwd=tmp_path)
    assert (refused.returncode, "nothing was changed" in refused.stderr) == (1, True)
    assert (await alertgate("init", "--if-missing", cwd=tmp_path)).returncode == 0
    assert (tmp_path / ".env").read_text() == "API_TOKEN=mine-mine-mine-mine\n"


async def test_wrong_settings_are_one_readable_list(tmp_path):
    """All problems are listed by name, with exit code 2, no traceback and no secret."""
    env = {"PORT": "x", "TIMEZONE": "Mars/Base", "API_TOKEN": "short-secret", "WEBHOOK_SECRET": "change-me-please-now"}
    done = await alertgate("serve", cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert [line.split()[1] for line in done.stderr.splitlines() if line.startswith("  - ")] == [
        "WEBHOOK_SECRET",
        "API_TOKEN",
        "TIMEZONE",
        "PORT",
    ]
    assert "Traceback" not in done.stderr
    assert "short-secret" not in done.stderr


async def test_a_second_service_on_one_file_is_refused(tmp_path):
    """The second one exits at once with an error message, not a traceback; the first keeps running."""
    async with process(tmp_path) as first:
        done = await alertgate("serve", "--port", "0", cwd=tmp_path, env={**GOOD, "DATA_DIR": str(tmp_path / "data")})
        assert done.returncode == 1
        assert "Another alertgate is serving" in done.stderr
        assert "Traceback" not in done.stderr
        assert (await first.client.get("/health")).status_code == 200


async def test_a_port_in_use_is_reported(tmp_path):
    """The exit code is 1, and the error names the address."""
    async with process(tmp_path) as first:
        done = await alertgate("serve", "--port", str(first.port), cwd=tmp_path, env={**GOOD, "DATA_DIR": "other"})
    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1:{first.port}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_check_finds_what_is_wrong(tmp_path):
    """Dead gateways and no webhooks fail; weak and equal secrets warn."""
    env = {
        "API_TOKEN": "aaaaaaaaaaaaaaaaaaaa",
        "SECRET_KEY": "aaaaaaaaaaaaaaaaaaaa",
        "RECIPIENT_EMAIL": "5551234567@txt.att.net,5551234567@vtext.com",
    }
    done = await alertgate("check", cwd=tmp_path, env=env)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert any(line.startswith("fail  webhooks: ") for line in lines)
    assert any(line.startswith("fail  recipient 5551234567@txt.att.net: AT&T") for line in lines)
    assert any(line.startswith("warn  recipient 5551234567@vtext.com: Verizon") for line in lines)
    assert any(line.startswith("warn  API_TOKEN: is weak") for line in lines)
    assert any(line.startswith("warn  API_TOKEN: equals SECRET_KEY") for line in lines)
    missing = f"ok    store: {tmp_path}/data/alertgate.db doesn't exist yet; `alertgate serve` creates it"
    assert missing in lines
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYob7oD3P", "ok    WEBHOOK_SECRET: is set"),
        ("whsec_C2FVsBQIhrscChlQIMV-b5sSYob7oD3P", f"warn  WEBHOOK_SECRET: {UNFIT}"),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYob7oD3", f"warn  WEBHOOK_SECRET: {UNFIT}"),
        ("Schluessel-fuer-Tuer-und-Tor-7", f"ok    WEBHOOK_SECRET: {UNFIT}"),
    ],
)
async def test_check_says_which_secret_the_libraries_cannot_use(tmp_path, secret, line):
    """A warning for one that is meant for them; a plain text signs by hand all the same."""
    done = await alertgate("check", "--offline", cwd=tmp_path, env={**GOOD, "WEBHOOK_SECRET": secret})
    assert line in done.stdout.splitlines()
    assert secret not in done.stdout + done.stderr


async def test_check_knows_the_token_for_senders_that_cannot_sign(tmp_path):
    """It's a way in like any other: weak and equal ones warn, and with it alone nothing is switched off but signing."""
    token = {"WEBHOOK_TOKEN": "C2FVsBQIhrscChlQIMV-b5sSYob7oD3P"}
    lines = (await alertgate("check", "--offline", cwd=tmp_path, env=token)).stdout.splitlines()
    assert "ok    WEBHOOK_SECRET: isn't set: the generic webhook takes WEBHOOK_TOKEN and no signatures" in lines
    assert "ok    WEBHOOK_TOKEN: is set" in lines
    assert not [line for line in lines if line.startswith("fail  webhooks")]
    weak = {"WEBHOOK_TOKEN": "aaaaaaaaaaaaaaaaaaaa", "API_TOKEN": "aaaaaaaaaaaaaaaaaaaa"}
    lines = (await alertgate("check", "--offline", cwd=tmp_path, env=weak)).stdout.splitlines()
    assert "warn  WEBHOOK_TOKEN: is weak: use one that `alertgate init` generates" in lines
    assert "warn  WEBHOOK_TOKEN: equals API_TOKEN: a leak of one exposes both; use different secrets" in lines
    neither = (await alertgate("check", "--offline", cwd=tmp_path)).stdout
    assert "warn  WEBHOOK_SECRET: isn't set: the generic webhook is switched off and answers 503" in neither
    assert "WEBHOOK_TOKEN" not in neither


@pytest.mark.parametrize(
    ("recipients", "said"),
    [
        (
            {},
            {
                (
                    "fail  recipients: none is set: nobody is told; set RECIPIENT_EMAIL or RECIPIENT_PUSH, or people "
                    "in alertgate.toml"
                ),
                NO_SERVER,
            },
        ),
        ({"RECIPIENT_EMAIL": "me@example.com"}, {NO_SERVER}),
    ],
    ids=["no recipient", "no mail server"],
)
async def test_check_fails_while_nobody_is_told(tmp_path, recipients, said):
    """Whatever else is right: without a recipient, and without a way to reach one."""
    done = await alertgate("check", cwd=tmp_path, env={**GOOD, **recipients})
    assert (done.returncode, {line for line in done.stdout.splitlines() if line.startswith("fail")}) == (1, said)


async def test_check_and_the_log_name_what_resembles_a_setting(tmp_path):
    """In the environment, as Compose hands a .env on, where it isn't refused."""
    env = {**GOOD, "RECIPENT_SMS": "5551234567@sms.example.net", "HOSTNAME": "gate"}
    meant = "RECIPENT_SMS: in the environment isn't a setting of alertgate: did you mean RECIPIENT_SMS?"
    checked = await alertgate("check", "--offline", cwd=tmp_path, env=env)
    assert f"warn  {meant}" in checked.stdout
    assert "HOSTNAME" not in checked.stdout
    refused = await alertgate("serve", cwd=tmp_path, env={**env, "DATA_DIR": "/dev/null/data"})
    assert "did you mean RECIPIENT_SMS?" in refused.stderr
    assert "sms.example.net" not in checked.stdout + refused.stderr


@pytest.mark.parametrize("command", ["check", "serve"])
async def test_a_token_in_quotes_is_named_before_anything_starts(tmp_path, command):
    """As `docker run --env-file` hands it on; without the token itself."""
    done = await alertgate(command, cwd=tmp_path, env={"WEBHOOK_TOKEN": '"hunter2-hunter2-hunter2"'})
    assert done.returncode == 2
    assert "  - WEBHOOK_TOKEN is wrapped in quotes, which would be part of the value: remove them" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(("password", "code", "level"), [("right", 0, "ok"), ("wrong", 1, "fail")])
async def test_check_logs_in_to_the_mail_server(tmp_path, password, code, level):
    """A real login, without sending anything."""
    async with mail_sink(user="u@example.net", password="right") as sink:
        done = await alertgate("check", cwd=tmp_path, env={**GOOD, **mail_env(sink), "SMTP_PASSWORD": password})
        assert (done.returncode, sink.messages) == (code, [])
        assert f"{level:5} mail server 127.0.0.1:{sink.port}:" in done.stdout


def mail_env(sink) -> dict[str, str]:
    """Environment variables for the test's mail server, with three recipients."""
    return {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(sink.port),
        "SMTP_SECURITY": "none",
        "SMTP_EMAIL": "u@example.net",
        "RECIPIENT_EMAIL": "me@example.com,gone@example.com",
        "RECIPIENT_SMS": "555@sms.example.net",
    }


async def test_check_asks_for_every_recipient_and_sends_nothing(tmp_path):
    """One line for each: fine, refused with what to change, or refused for now; and what only a real message shows."""
    async with mail_sink() as sink:
        sink.answer("RCPT", "250 2.1.5 OK", "550 5.1.1 gone", "450 4.2.0 greylisted\x1b[31m")
        done = await alertgate("check", cwd=tmp_path, env={**GOOD, **mail_env(sink)})
        lines = [line for line in done.stdout.splitlines() if line[6:].startswith(("recipient", "only a real"))]
        assert (done.returncode, sink.messages, sink.connections) == (1, [], 1)
        assert lines[:2] == [
            "ok    recipient me@example.com: the mail server takes mail for it: 250 2.1.5 OK",
            f"fail  recipient gone@example.com: {NO_MAILBOX} (no_such_recipient: 550 5.1.1 gone)",
        ]
        assert lines[2].startswith("warn  recipient 555@sms.example.net: the server won't take it now")
        assert lines[2].endswith("(recipient_busy: 450 4.2.0 greylisted\\x1b[31m)")
        assert lines[3].startswith("note  only a real message shows: ")
        assert len(lines) == 4


async def test_check_offline_asks_nobody(tmp_path):
    """The recipients are judged by their addresses alone."""
    async with mail_sink() as sink:
        done = await alertgate("check", "--offline", cwd=tmp_path, env={**GOOD, **mail_env(sink)})
        assert (done.returncode, sink.connections) == (0, 0)
        assert "ok    recipient me@example.com: is told by email" in done.stdout.splitlines()


async def test_a_port_in_the_mail_servers_name_is_refused_with_the_right_form(tmp_path):
    """By every command that reads the settings."""
    done = await alertgate("check", cwd=tmp_path, env={"SMTP_HOST": "smtp.example.org:587"})
    assert done.returncode == 2
    assert "  - SMTP_HOST holds a port: write SMTP_HOST=smtp.example.org, SMTP_PORT=587" in done.stderr


async def test_send_test_prints_each_servers_own_answer(tmp_path):
    """Every recipient of every channel gets an attempt; a failure says what to do, and makes the exit code 1."""
    async with mail_sink() as sink:
        sink.answer("RCPT", "550 5.1.1 gone")
        done = await alertgate("send-test", cwd=tmp_path, env={**GOOD, **mail_env(sink)})
        assert done.returncode == 1
        assert done.stdout.splitlines()[:4] == [
            "FAILED email  me@example.com: no_such_recipient: 550 5.1.1 gone",
            f"              {NO_MAILBOX}",
            "sent   email  gone@example.com: 250 2.0.0 OK queued as 0001",
            "sent   sms    555@sms.example.net: 250 2.0.0 OK queued as 0002",
        ]
        assert "that doesn't show that it arrives" in done.stdout.splitlines()[4]
        assert sink.messages[1].mail["Subject"] is None


async def test_send_test_does_not_repeat_a_refused_login_for_each_recipient(tmp_path):
    """Servers ban machines for that: one login is refused, for all channels."""
    async with mail_sink(user="u@example.net", password="right") as sink:
        done = await alertgate("send-test", cwd=tmp_path, env={**GOOD, **mail_env(sink), "SMTP_PASSWORD": "wrong"})
        lines = done.stdout.splitlines()
        assert (done.returncode, sink.connections, len(lines)) == (1, 1, 5)
        assert lines[1].endswith("check SMTP_USERNAME (unset, it is SMTP_EMAIL) and SMTP_PASSWORD")
        assert lines[2].startswith("FAILED email  gone@example.com: credentials: not tried, because ")


async def test_simulate_sends_events_as_particle_does(tmp_path, make_settings):
    """Events of both forms are accepted, and the summary counts answers and latencies."""
    async with serving(make_settings()) as service:
        url = f"http://127.0.0.1:{service.port}"
        for form in ([], ["--form"]):
            done = await alertgate(
                "simulate", "--url", url, "--count", "20", "--rate", "200", *form, cwd=tmp_path, env=GOOD
            )
            assert done.returncode == 0, done.stderr
            assert "answers: 20 x 202 accepted\nlatency: p50 " in done.stdout
        wrong = {"PARTICLE_WEBHOOK_SECRET": "another-token-0123456789"}
        done = await alertgate("simulate", "--url", url, cwd=tmp_path, env=wrong)
        assert (done.returncode, "1 x 401 Not authenticated" in done.stdout) == (1, True)


PEOPLE = {"SMTP_EMAIL": "gate@example.org", "RECIPIENT_EMAIL": "anna@example.org"}


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        ([], PEOPLE, "1 alert tells real people (email a***@example.org)"),
        (["--count", "20"], PEOPLE, "20 alerts tell real people (email a***@example.org)"),
        (["--url", "http://gate.invalid"], {}, "real people (whoever the service at gate.invalid tells)"),
    ],
)
async def test_simulate_tells_real_people_only_if_that_is_meant(tmp_path, arguments, env, told):
    """Without a terminal to ask at nothing is sent, and the way to mean it is named."""
    done = await alertgate("simulate", *arguments, cwd=tmp_path, env={**GOOD, **env, "PORT": "9"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Nothing was sent: ")
    assert f"{told}. Add --yes if that is meant." in done.stderr
    meant = await alertgate("simulate", *arguments, "--yes", cwd=tmp_path, env={**GOOD, **env, "PORT": "9"})
    assert "Nothing was sent" not in meant.stderr


@pytest.mark.parametrize(("answer", "said"), [(b"n\n", "Nothing was sent."), (b"y\n", "answers: 1 x ")])
async def test_simulate_asks_at_a_terminal(tmp_path, answer, said):
    """A no sends nothing."""
    ours, theirs = os.openpty()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alertgate", "simulate"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **GOOD, **PEOPLE, "PORT": "9"},
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(theirs)
    os.write(ours, answer)
    output, _ = await child.communicate()
    os.close(ours)
    assert child.returncode == 1
    assert said in output.decode()


async def test_particle_template_is_what_the_console_takes(tmp_path):
    """JSON with the URL, the header and the event's fields; the token only with --show-secret."""
    arguments = ("particle-template", "--url", "https://alerts.example.org/", "--event", "alarm")
    template = json.loads((await alertgate(*arguments, cwd=tmp_path, env=GOOD)).stdout)
    assert template["url"] == "https://alerts.example.org/webhook/particle"
    assert template["headers"] == {"Authorization": "Bearer PARTICLE_WEBHOOK_SECRET"}
    assert template["form"]["event_id"] == "{{{PARTICLE_EVENT_ID}}}"
    vitals = json.loads((await alertgate(*arguments[:3], "--vitals", cwd=tmp_path, env=GOOD)).stdout)
    assert (vitals["event"], vitals["form"]) == ("spark/", template["form"])
    for wrong in (arguments[:3], (*arguments, "--vitals")):
        assert (await alertgate(*wrong, cwd=tmp_path, env=GOOD)).returncode == 2
    shown = json.loads((await alertgate(*arguments, "--show-secret", cwd=tmp_path, env=GOOD)).stdout)
    assert shown["headers"] == {"Authorization": f"Bearer {PARTICLE}"}


@pytest.mark.parametrize(
    ("url", "said", "right"),
    [
        ("gate.example.net", "must begin with https://", "https://gate.example.net"),
        ("http://gate.example.net:8443/", "must begin with https://", "https://gate.example.net:8443"),
        ("ftp://gate.example.net", "must begin with https://", "https://gate.example.net"),
        ("https://me:hunter2@gate.example.net", "holds a user or a password", "https://gate.example.net"),
        ("https://gate.example.net/webhook/particle", "has more than a host", "https://gate.example.net"),
        ("https://gate.example.net/?hunter2", "has more than a host", "https://gate.example.net"),
        ("https://gate.example.net/#x", "has more than a host", "https://gate.example.net"),
        ("https://https://gate.example.net", "has more than a host", "https://alerts.example.org"),
        ("https://localhost:8000", "can't reach", "https://alerts.example.org"),
        ("https://192.168.1.4", "can't reach", "https://alerts.example.org"),
        ("https://[::1]:8000", "can't reach", "https://alerts.example.org"),
        ("https://nas.local", "can't reach", "https://alerts.example.org"),
        ("https://gate", "can't reach", "https://alerts.example.org"),
        ("https://gate.example.net hunter2", "can't reach", "https://alerts.example.org"),
        ("https://gate.example.net:port", "isn't a web address", "https://alerts.example.org"),
        ("https://gate..example.net", "isn't a web address", "https://alerts.example.org"),
        ("", "must begin with https://", "https://alerts.example.org"),
    ],
)
def test_an_address_that_particle_cannot_call_is_refused_with_the_right_form(url, said, right):
    """It is never shown, because it may hold a password."""
    with pytest.raises(ValueError, match=said) as refused:
        public_address(url)
    assert str(refused.value).endswith(right)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://gate.example.net", "https://gate.example.net"),
        (" HTTPS://Gate.Example.net:8443/ ", "https://gate.example.net:8443"),
        ("https://münchen.example.net", "https://xn--mnchen-3ya.example.net"),
        ("https://[2a00:1450:4001::1]:8443", "https://[2a00:1450:4001::1]:8443"),
    ],
)
def test_a_public_address_is_taken(url, address):
    """Without its slash, and as DNS has it."""
    assert public_address(url) == address


async def test_migrate_upgrades_the_schema(tmp_path):
    """The database has the newest schema afterwards; running it again is no error."""
    for _ in range(2):
        done = await alertgate("migrate", cwd=tmp_path, env=GOOD)
        assert (done.returncode, done.stdout) == (0, "The sqlite database has the newest schema.\n")


async def test_healthcheck_reports_whether_the_service_runs(tmp_path):
    """The exit code is 0, with the health as output, or 1 if nothing answers."""
    async with process(tmp_path) as running:
        done = await alertgate("healthcheck", cwd=tmp_path, env={"PORT": str(running.port)})
        assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "healthy")
    done = await alertgate("healthcheck", cwd=tmp_path, env={"PORT": str(running.port)})
    assert (done.returncode, f"no answer from http://127.0.0.1:{running.port}/health: " in done.stderr) == (1, True)
    done = await alertgate("simulate", cwd=tmp_path, env={**GOOD, "PORT": str(running.port)})
    assert (done.returncode, done.stderr) == (
        1,
        f"The events went to http://127.0.0.1:{running.port}/webhook/particle.\n",
    )


async def test_first_steps_print_a_curl_that_works(tmp_path):
    """The commands that `make run` prints can be pasted: one prints the console's token, one is answered 202."""
    await alertgate("init", cwd=tmp_path)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alertgate", "serve", "--port", "0", "--first-steps"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout
    shown = ""
    async with asyncio.timeout(60):
        while "coreid" not in shown:
            shown += (await child.stdout.readline()).decode()
    curl = shown[shown.index("curl") :]
    [token] = re.findall(r"^API_TOKEN=(.+)$", (tmp_path / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    [asks] = [line for line in shown.splitlines() if "^API_TOKEN=" in line]
    printed = await asyncio.to_thread(subprocess.check_output, ["sh", "-c", asks], cwd=tmp_path, text=True, timeout=300)
    assert printed.strip() == token, "it is what the console asks for"
    assert token not in shown
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", curl], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    child.terminate()
    assert await child.wait() == 0
    assert '"status":"accepted"' in done.stdout
    assert len(list((tmp_path / "data" / "outbox" / "new").iterdir())) == 1


HOUSEHOLD = """
[people.Anna]
contacts = ["email:anna@example.com", "sms:555@sms.example.net after 3m", "email:$CONTACT_WORK after 10m"]
[people.Bea]
contacts = ["email:bea@example.com"]
"""


async def test_send_test_goes_through_each_contact_of_a_person(tmp_path):
    """Also those that are told later; one whose secret isn't set is named, and nobody else gets anything."""
    (tmp_path / "alertgate.toml").write_text(HOUSEHOLD)
    async with mail_sink() as sink:
        env = {**GOOD, **mail_env(sink)}
        done = await alertgate("send-test", "--person", "anna", cwd=tmp_path, env=env)
        assert done.returncode == 1
        assert done.stdout.splitlines()[:3] == [
            "sent   email  anna@example.com: 250 2.0.0 OK queued as 0001",
            "sent   sms    555@sms.example.net: 250 2.0.0 OK queued as 0002",
            "FAILED email:$CONTACT_WORK: not tried, because it isn't set",
        ]
        assert [each.to for each in sink.messages] == ["anna@example.com", "555@sms.example.net"]
        nobody = await alertgate("send-test", "--person", "Ann", cwd=tmp_path, env=env)
        assert (nobody.returncode, len(sink.messages)) == (1, 2)
        assert "There is no person Ann; did you mean Anna?" in nobody.stderr
