"""The settings: parsing, defaults and error messages."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alertgate.addresses import check_address, mask
from alertgate.config import Settings
from alertgate.errors import ConfigError
from alertgate.model import Severity
from alertgate.rules import GroupingRules, SeverityRules
from alertgate.settings_load import load
from tests.builders import DOOR, for_any

GOOD_SECRET = "a-good-secret-0123456789abcdef"
SECRETS = [
    "SECRET_KEY",
    "SECRET_KEY_PREVIOUS",
    "PARTICLE_WEBHOOK_SECRET",
    "PARTICLE_WEBHOOK_SECRET_PREVIOUS",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_PREVIOUS",
    "WEBHOOK_TOKEN",
    "WEBHOOK_TOKEN_PREVIOUS",
    "API_TOKEN",
    "API_TOKEN_PREVIOUS",
    "METRICS_TOKEN",
    "METRICS_TOKEN_PREVIOUS",
]
SHORT = "is shorter than 16 characters; `alertgate init` writes fresh secrets"
PLACEHOLDER = "is still the placeholder of a template; `alertgate init` writes a .env with fresh secrets"
UNFIT = (
    "must be printable ASCII without spaces, so that it fits into an HTTP header: copy it again, or use one that "
    "`alertgate init` writes"
)
ONE_LINE = "must be one line of text: write it without line breaks, and without spaces around it"
DATABASE = "must look like postgresql://user:password@host:5432/name; unset it to use SQLite"
QUOTED = (
    "is wrapped in quotes, which would be part of the value: remove them "
    "(`docker run --env-file` and files in /run/secrets keep quotes as they are)"
)
OAUTH_HALF, TOO = "is set, but a login by OAuth needs", "too: see docs/mail.md"
NO_ENDPOINT = "is not a token endpoint; write one like https://oauth2.googleapis.com/token"
NO_HELO = (
    "is not a name that EHLO may say: write a host name with a dot, such as gate.example.org, or an address as "
    "[192.0.2.1] or [IPv6:2001:db8::1]"
)
NO_DURATION = "is not a duration; write seconds, or a unit after each number: 30s, 5m, 24h, 7d"
NO_GATEWAY = (
    "write number@gateway, because text messages go by mail, by the gateway of the phone's provider or of an SMS "
    "service (docs/text-messages.md)"
)
PHONE = "has a phone number without a gateway"
COMMAS = "write them comma-separated, as one@example.org,two@example.org"
CREDENTIALS = [
    *("NTFY_TOKEN", "PUSHOVER_TOKEN", "TELEGRAM_TOKEN", "TWILIO_AUTH_TOKEN", "WEBHOOK_SIGNING_SECRET", "MATRIX_TOKEN"),
]
CREDENTIAL_PLACEHOLDER = (
    "is still the placeholder of a template: set the real one; docs/mail.md or docs/phones.md has it"
)
UNFIT_CREDENTIAL = "must be printable ASCII without spaces: copy it again, whole and alone"
NO_SERVICE = "is not the address of a service; write one like https://ntfy.example.org"
NO_ACCOUNT = "is not a Twilio account: copy the Account SID from its console, AC and 32 digits or letters"
NO_SENDER = (
    "is neither a number nor a messaging service: write the number as +15551234567, with its country's code and "
    "without spaces, or the service's SID, MG and 32 digits or letters"
)
NO_JSON = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
DEVICES_FORM = "write id=name, such as 3f002b000000000000000000=Front door, comma-separated"
RULES_FORM = "write event=severity, such as alarm/*=critical, comma-separated"
NO_PUBLIC_URL = (
    "is not the address of this service; write one like https://alerts.example.org, in ASCII, without a user, a query "
    "or a fragment"
)
WEB_ADDRESS = "is not a web address; write one like https://hc-ping.com/…"
ANY_TEXT = {"SMTP_USERNAME", "HOST", "DATA_DIR", "POLICY_FILE", "TZ", "RECIPIENT_PUSH"}
"""Settings that accept any text; whether a host, a directory, a file or a channel exists shows at start."""

LoadWith = Callable[..., Settings]


@pytest.fixture
def load_with(monkeypatch: pytest.MonkeyPatch) -> LoadWith:
    """Load the settings from the environment alone."""

    def load_from(**variables: str) -> Settings:
        monkeypatch.delenv("FLASK_SECRET_KEY", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load(None)

    return load_from


@pytest.fixture
def problems_with(load_with: LoadWith) -> Callable[..., list[str]]:
    """Load the settings from the environment alone, and return their problems."""

    def problems(**variables: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_with(**variables)
        assert str(caught.value) == "\n".join(caught.value.problems)
        return caught.value.problems

    return problems


PROBLEMS = [
    *((name, "short-secret-01", SHORT) for name in SECRETS),
    ("RECIPIENT_EMAIL", "me", "'m***' is not an email address; write name@example.org, without a display name"),
    ("RECIPIENT_SMS", "5551234567", f"{PHONE} (***67): {NO_GATEWAY}"),
    ("RECIPIENT_SMS", "me@example.org,+49 (151) 123-456", f"{PHONE} in entry 2 (***56): {NO_GATEWAY}"),
    ("RECIPIENT_EMAIL", "0151/1234567", f"{PHONE} (***67): {NO_GATEWAY}"),
    ("RECIPIENT_EMAIL", "a@example.org; b@example.org", f"has ';' between addresses: {COMMAS}"),
    ("RECIPIENT_EMAIL", "a@example.org, b@example.org;c@d.org", f"has ';' between addresses in entry 2: {COMMAS}"),
    ("RECIPIENT_SMS", "a@x.org b@x.org, c@x.org", f"has a blank between addresses in entry 1: {COMMAS}"),
    ("RECIPIENT_EMAIL", "a@example.org b@example.org", f"has a blank between addresses: {COMMAS}"),
    ("SMTP_HOST", "smtp.example.org:587", "holds a port: write SMTP_HOST=smtp.example.org, SMTP_PORT=587"),
    ("SMTP_FROM_NAME", "Anna\nBcc: b@example.org", ONE_LINE),
    ("SMTP_FROM_NAME", "x" * 65, "has more than 64 characters: shorten it"),
    ("SMTP_EMAIL", "me@", "'m***@' is not an email address; write name@example.org, without a display name"),
    ("SMTP_PORT", "0", "must be at least 1"),
    ("SMTP_PORT", "65536", "must be at most 65535"),
    ("SMTP_PORT", "smtp", "must be a whole number, such as 587"),
    ("SMTP_SECURITY", "ssl", "must be starttls, tls or none"),
    ("SMTP_PASSWORD", "your app password", 'is still the placeholder of a template; see "Real mail" in README.md'),
    ("SMTP_OAUTH_CLIENT_ID", "gate", f"{OAUTH_HALF} SMTP_OAUTH_REFRESH_TOKEN and SMTP_OAUTH_TOKEN_URL {TOO}"),
    ("SMTP_OAUTH_REFRESH_TOKEN", "1//token", f"{OAUTH_HALF} SMTP_OAUTH_CLIENT_ID and SMTP_OAUTH_TOKEN_URL {TOO}"),
    ("SMTP_OAUTH_REFRESH_TOKEN", "CHANGE-ME", CREDENTIAL_PLACEHOLDER),
    ("SMTP_OAUTH_CLIENT_SECRET", "a b", UNFIT_CREDENTIAL),
    ("SMTP_OAUTH_TOKEN_URL", "login.example.org/token", NO_ENDPOINT),
    ("SMTP_OAUTH_TOKEN_URL", "https://user:word@login.example.org/token", NO_ENDPOINT),
    ("SMTP_OAUTH_TOKEN_URL", "https://[login/token", NO_ENDPOINT),
    ("SMTP_OAUTH_TOKEN_URL", "https://login.example.org:port/token", NO_ENDPOINT),
    (
        "SMTP_OAUTH_TOKEN_URL",
        "http://login.example.org/token",
        "must begin with https://, because secrets are sent to it: use the provider's address",
    ),
    (
        "SMTP_OAUTH_SCOPE",
        "mail",
        f"{OAUTH_HALF} SMTP_OAUTH_CLIENT_ID and SMTP_OAUTH_REFRESH_TOKEN and SMTP_OAUTH_TOKEN_URL {TOO}",
    ),
    ("SMTP_HELO_NAME", "gate", f"'gate' {NO_HELO}"),
    ("SMTP_CA_FILE", "/no/such/ca.pem", "/no/such/ca.pem is not a file: correct the path"),
    ("SMTP_CONNECTIONS", "0", "must be at least 1"),
    ("SMTP_CONNECTIONS", "21", "must be at most 20"),
    ("SMTP_TIMEOUT", "0", "must be more than 0"),
    ("SMTP_TIMEOUT", "41", "must be at most 40"),
    ("SMTP_DAILY_LIMIT", "-1", "must be at least 0"),
    ("RETENTION_DAYS", "36h", "'36h' is not a number of days; write one like 90 or 90d"),
    ("RETENTION_DAYS", "many", "'many' is not a number of days; write one like 90 or 90d"),
    ("GROUP_INTERVAL", "500ms", f"'500ms' {NO_DURATION}"),
    ("GROUP_INTERVAL", "5m 30", f"'5m 30' {NO_DURATION}"),
    ("GROUP_INTERVAL", "0m", "must be more than 0"),
    ("RETENTION_DAYS", "-1", "must be at least 0"),
    ("PUBLIC_URL", "alerts.example.org", NO_PUBLIC_URL),
    ("PUBLIC_URL", "ftp://alerts.example.org", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://user@alerts.example.org", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alerts.example.org?x=1", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alerts.example.org/#x", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alerts.example.org/a b", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alerts.example.org/../x", NO_PUBLIC_URL),
    ("PUBLIC_URL", 'https://alerts.example.org/"><b>', NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://älerts.example.org", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alerts.example.org:0", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alerts.example.org:65536", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://alert\u017f.example.org", NO_PUBLIC_URL),
    ("PUBLIC_URL", "https://\u212aelvin.example.org", NO_PUBLIC_URL),
    ("PUBLIC_URL", "http\u017f://alerts.example.org", NO_PUBLIC_URL),
    (
        "PUBLIC_URL",
        "http://alerts.example.org",
        "must begin with https://, because whoever reads a link on its way can answer by it: use https",
    ),
    (
        "PUBLIC_URL",
        f"https://{'a' * 60}.{'b' * 12}",
        "has more than 80 characters, and each message carries it: shorten it",
    ),
    ("HEARTBEAT_URL", "hc-ping.com/x", WEB_ADDRESS),
    ("HEARTBEAT_URL", "ftp://hc-ping.com/x", WEB_ADDRESS),
    ("HEARTBEAT_URL", "https://", WEB_ADDRESS),
    ("HEARTBEAT_URL", "https://[hc-ping.com/x", WEB_ADDRESS),
    ("HEARTBEAT_URL", "https://hc-ping.com:https/x", WEB_ADDRESS),
    ("HEARTBEAT_URL", "https://hc-ping..com/x", WEB_ADDRESS),
    ("HEARTBEAT_URL", "https://hc-ping.com/x y", WEB_ADDRESS),
    ("HEARTBEAT_FAIL_URL", "hc-ping.com/x", WEB_ADDRESS),
    ("HEARTBEAT_INTERVAL", "0", "must be more than 0"),
    ("DEVICES", "Front door", f"'Front door' has no '=': {DEVICES_FORM}"),
    (
        "DEVICES",
        f"Front door={DOOR}",
        f"has 'Front door' the wrong way round: the id comes first: write {DOOR}=Front door",
    ),
    (
        "DEVICES",
        f'{{"Front door": "{DOOR.upper()}"}}',
        f"has 'Front door' the wrong way round: the id comes first: write {DOOR.upper()}=Front door",
    ),
    ("DEVICES", f"{DOOR}=Front door; {DOOR[:-1]}1=Cellar", f"has ';' between pairs: {DEVICES_FORM}"),
    ("DEVICES", f"{DOOR}=", f"has '{DOOR}=', where one side is missing: write id=name"),
    (
        "DEVICES",
        "{3f00}",
        f"is not a JSON object ({NO_JSON}): {DEVICES_FORM}",
    ),
    ("DEFAULT_SEVERITY", "bad", "must be info, warning or critical"),
    ("SEVERITY_RULES", "alarm/*", f"'alarm/*' has no '=': {RULES_FORM}"),
    (
        "SEVERITY_RULES",
        "leak=high",
        "has 'high', which is no severity: write leak=info, leak=warning or leak=critical",
    ),
    (
        "SEVERITY_RULES",
        "Critical=leak",
        "has 'Critical=leak' the wrong way round: the event comes first: write leak=critical",
    ),
    ("SEVERITY_RULES", "leak=critical;battery=info", f"has ';' between pairs: {RULES_FORM}"),
    ("SEVERITY_RULES", "leak: critical", f"'leak: critical' has no '=': {RULES_FORM}"),
    ("PARTICLE_STRICT", "perhaps", "must be true or false"),
    ("FLOOD_LIMIT", "-1", "must be at least 0"),
    ("FLOOD_LIMIT", "1001", "must be at most 1000"),
    ("GROUP_INTERVAL", "0", "must be more than 0"),
    ("GROUP_INTERVAL", "five minutes", f"'five minutes' {NO_DURATION}"),
    ("GROUP_INTERVAL", "inf", "must be less than 1000000000"),
    ("GROUP_INTERVAL", "nan", "must be more than 0"),
    ("RESOLVE_AFTER", "-1", "must be more than 0"),
    ("RESOLVE_AFTER", "1e300", "must be less than 1000000000"),
    ("GIVE_UP_AFTER", "-1", "must be more than 0"),
    ("GIVE_UP_AFTER", "inf", "must be less than 1000000000"),
    ("TIMEZONE", "Berlin", "'Berlin' is not a time zone; write one like Europe/Berlin or America/New_York"),
    ("PORT", "-1", "must be at least 0"),
    ("PORT", "65536", "must be at most 65535"),
    ("DATABASE_URL", "hunter2", DATABASE),
    (
        "TRUSTED_PROXIES",
        "10.0.0.1,traefik",
        "'traefik' is not an address or a network; write some like 127.0.0.1,172.30.80.0/24",
    ),
    ("TRUSTED_PROXIES", "*", "'*' would let any caller forge its address; name the proxy's address or network"),
    ("MAX_BODY_BYTES", "1023", "must be at least 1024"),
    ("MAX_BODY_BYTES", "16777217", "must be at most 16777216"),
    ("BODY_TIMEOUT", "0", "must be more than 0"),
    ("RATE_LIMIT", "lots", "'lots' is not a rate limit; write one like 20/minute;100/10 minutes"),
    ("PARTICLE_RATE_LIMIT", "600", "'600' is not a rate limit; write one like 20/minute;100/10 minutes"),
    ("DOCS_ENABLED", "2", "must be true or false"),
    ("METRICS_DEVICES", "some", "must be true or false"),
    ("CONSOLE_ENABLED", "on please", "must be true or false"),
    ("SHUTDOWN_TIMEOUT", "-0.1", "must be more than 0"),
    ("NTFY_URL", "ntfy.example.org", NO_SERVICE),
    ("NTFY_URL", "https://me:word@ntfy.example.org", NO_SERVICE),
    ("NTFY_URL", "https://ntfy.example.org/?auth=word", NO_SERVICE),
    ("NTFY_TOKEN", "CHANGE-ME", CREDENTIAL_PLACEHOLDER),
    *((name, "two words", UNFIT_CREDENTIAL) for name in CREDENTIALS),
    ("PUSHOVER_URL", "ftp://api.pushover.net", NO_SERVICE),
    ("TELEGRAM_URL", "https://", NO_SERVICE),
    ("TWILIO_URL", "https://api.twilio.com/#x", NO_SERVICE),
    ("MATRIX_URL", "@gate:example.org", NO_SERVICE),
    ("TWILIO_ACCOUNT_SID", f"SK{'0' * 32}", NO_ACCOUNT),
    ("TWILIO_ACCOUNT_SID", f"AC{'0' * 31}", NO_ACCOUNT),
    ("TWILIO_FROM", "0151 1234567", NO_SENDER),
    ("TWILIO_FROM", "+49 151 1234567", NO_SENDER),
    ("TWILIO_FROM", "MG0", NO_SENDER),
    ("TWILIO_DAILY_LIMIT", "-1", "must be at least 0"),
    ("CHANNELS_PRIVATE", "perhaps", "must be true or false"),
    ("HTTP_PROXY_FOR_CHANNELS", "perhaps", "must be true or false"),
    ("LOG_LEVEL", "loud", "must be debug, info, warning or error"),
    ("LOG_FORMAT", "xml", "must be auto, json or console"),
]


@pytest.mark.parametrize(("name", "value", "problem"), PROBLEMS, ids=lambda value: str(value)[:30])
def test_a_wrong_setting_is_named_with_its_problem(problems_with, name, value, problem):
    """Each problem is one readable line that starts with the setting's name."""
    mail = {"RECIPIENT_EMAIL": "me@example.com"} if name == "SMTP_CA_FILE" else {}
    assert problems_with(**{**mail, name: value}) == [f"{name} {problem}"]


@pytest.mark.parametrize(
    "name",
    ["gate.example.org", "a.b", "xn--mller-kva.example", "GATE-1.Example.ORG", "[192.0.2.1]", "[IPv6:2001:db8::1]"],
)
def test_a_name_for_ehlo_is_a_host_name_with_a_dot_or_an_address(load_with, name):
    """RFC 5321, 4.1.2 and 4.1.3."""
    assert load_with(SMTP_HELO_NAME=name).smtp_helo_name == name


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "gate_1.example.org",
        "-gate.example.org",
        "gate..example.org",
        ".example.org",
        "gate.example.org.",
        "192.0.2.1",
        "[192.0.2.256]",
        "[2001:db8::1]",
        "[IPv6:fe80::1%eth0]",
        "[192.0.2.1",
        "müller.example",
        "gate.example.org MAIL",
        f"{'a' * 64}.org",
        f"{'a.' * 127}org",
    ],
)
def test_what_is_no_name_for_ehlo_is_refused(problems_with, name):
    """Mail servers would refuse it, each mail again."""
    assert problems_with(SMTP_HELO_NAME=name) == [f"SMTP_HELO_NAME {name!r} {NO_HELO}"]


OAUTH = {
    "SMTP_OAUTH_CLIENT_ID": "gate",
    "SMTP_OAUTH_REFRESH_TOKEN": "1//token",
    "SMTP_OAUTH_TOKEN_URL": "https://login.example.org/token",
}


def test_a_login_is_by_password_or_by_oauth(problems_with, load_with):
    """Which of both would count isn't guessed."""
    assert load_with(**OAUTH).smtp_oauth_client_id == "gate"
    [problem] = problems_with(**OAUTH, SMTP_PASSWORD="secret")
    assert problem.startswith("SMTP_PASSWORD and SMTP_OAUTH_CLIENT_ID are both set: remove")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/token", "http://[::1]/token", "http://localhost/token"])
def test_a_token_endpoint_on_this_machine_needs_no_encryption(load_with, url):
    """As with a proxy that adds what a provider wants to have."""
    assert load_with(**{**OAUTH, "SMTP_OAUTH_TOKEN_URL": url}).smtp_oauth_token_url == url


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMIIDETCC"])
def test_a_file_without_an_authoritys_certificate_is_refused(problems_with, tmp_path, content):
    """An empty file, something else, and the half of a certificate."""
    file = tmp_path / "ca.pem"
    file.write_text(content)
    [problem] = problems_with(SMTP_CA_FILE=str(file))
    assert problem.startswith(f"SMTP_CA_FILE {file} holds no certificate in PEM form, or one that is cut off: ")


@pytest.mark.parametrize("name", [".", "ca.pem/ca.pem"])
def test_a_path_that_is_no_file_is_refused(problems_with, tmp_path, name):
    """A directory, and a path below a file."""
    (tmp_path / "ca.pem").touch()
    assert problems_with(SMTP_CA_FILE=str(tmp_path / name)) == [
        f"SMTP_CA_FILE {tmp_path / name} is not a file: correct the path"
    ]


def test_an_authority_that_cannot_be_read_is_refused(problems_with):
    """A file of the kernel's, which not even root can read like this, stands for one of another user."""
    [problem] = problems_with(SMTP_CA_FILE="/proc/self/mem")
    assert problem.startswith("SMTP_CA_FILE /proc/self/mem can't be read (")


def test_every_setting_is_in_the_table_of_problems():
    """A new setting needs an error message that somebody has reviewed."""
    named = {name for name, _, _ in PROBLEMS}
    assert named | ANY_TEXT == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("CHANGE-ME", PLACEHOLDER),
        ("change_me_to_something_long", PLACEHOLDER),
        ("changeme-changeme-changeme", PLACEHOLDER),
        ("replace-this-with-a-secret", PLACEHOLDER),
        ("your-secret-key-goes-here", PLACEHOLDER),
        ("your_particle_webhook_secret", PLACEHOLDER),
        ("an-example-of-a-secret-0123", PLACEHOLDER),
        ("<a secret of 32 characters>", PLACEHOLDER),
        ("x" * 32, PLACEHOLDER),
        ("X" * 32, PLACEHOLDER),
        ("0123456789abcde", SHORT),
        ("0123456789 abcdef", UNFIT),
        ("0123456789abcdéf", UNFIT),
        ("0123456789abcdef\n", UNFIT),
        ("0123456789abcdef\t", UNFIT),
    ],
    ids=ascii,
)
def test_a_bad_secret_is_refused_without_being_shown(problems_with, value, problem):
    """Placeholders, short secrets and those that don't fit into a header are refused, without repeating them."""
    assert problems_with(API_TOKEN=value) == [f"API_TOKEN {problem}"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_of_sixteen_characters_is_long_enough(load_with, name):
    """The shortest secret that is accepted has 16 characters."""
    secret = getattr(load_with(**{name: "0123456789abcdef"}), name.lower())
    assert secret.get_secret_value() == "0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "hunter2") for name in SECRETS),
        ("API_TOKEN", "hunter2 hunter2 hunter2"),
        ("HEARTBEAT_URL", "hunter2"),
        ("DATABASE_URL", "mysql://user:hunter2@host/name"),
        ("DATABASE_URL", "hunter2"),
    ],
)
def test_no_problem_repeats_a_secret(problems_with, name, value):
    """The problem of a secret is described without the secret."""
    assert "hunter2" not in "\n".join(problems_with(**{name: value}))


def test_settings_do_not_show_their_secrets(load_with):
    """Settings in a log or a traceback don't reveal their secrets."""
    settings = load_with(
        **dict.fromkeys(SECRETS, "hunter2-hunter2-hunter2"),
        SMTP_PASSWORD="hunter2",
        DATABASE_URL="postgresql+psycopg://user:hunter2@host/name",
    )
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.model_dump())


@pytest.mark.parametrize("name", [*map(str.upper, Settings.model_fields), "FLASK_SECRET_KEY"])
def test_a_value_in_quotes_is_named_whatever_the_setting(problems_with, name):
    """`docker run --env-file` hands quotes on: the setting is named with the remedy, and its value isn't shown."""
    for quoted in ('"hunter2-hunter2-hunter2"', "'8000'", ' "a=b" ', '""', "“UTC”", "`x`"):
        assert problems_with(**{name: quoted}) == [f"{name.removeprefix('FLASK_')} {QUOTED}"]


@pytest.mark.parametrize("text", ['"', "'", '"a', 'a"', "'a\"", 'a"b"c', "o'brien", '{"a": "b"}'])
def test_quotes_inside_a_value_are_its_own(load_with, text):
    """A password may hold quotes, as long as they aren't wrapped around it."""
    assert load_with(SMTP_PASSWORD=text).mail_password == text


def test_quotes_in_an_env_file_are_not_part_of_the_value(tmp_path):
    """python-dotenv takes them off; a second pair is one too many."""
    file = tmp_path / ".env"
    file.write_text(f"API_TOKEN=\"{GOOD_SECRET}\"\nTIMEZONE='Europe/Berlin'\n")
    settings = load(file)
    assert (settings.api_token.get_secret_value(), settings.timezone) == (GOOD_SECRET, "Europe/Berlin")
    file.write_text(f"API_TOKEN='\"{GOOD_SECRET}\"'\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == [f"API_TOKEN {QUOTED}"]


def test_quotes_in_a_secret_file_are_named(tmp_path):
    """Files in /run/secrets are read as they are."""
    (tmp_path / "api_token").write_text(f'"{GOOD_SECRET}"\n')
    with pytest.raises(ValidationError, match=r"api_token\n.*is wrapped in quotes"):
        Settings(_env_file=None, _secrets_dir=tmp_path)


INVISIBLE = {
    "\u00a0": "U+00A0 NO-BREAK SPACE",
    "\u200b": "U+200B ZERO WIDTH SPACE",
    "\ufeff": "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    "\u202e": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "\x1b": "U+001B",
}


@pytest.mark.parametrize("setting", sorted({*Settings.model_fields} - {"devices", "smtp_password"}))
def test_a_character_that_nobody_sees_is_named(problems_with, setting):
    """Pasted along with a value it would be part of it, and nobody would find out why it's wrong."""
    for character, name in INVISIBLE.items():
        [problem] = problems_with(**{setting.upper(): f"hunter2{character}hunter2"})
        assert problem.startswith(f"{setting.upper()} holds an invisible character ({name}): type the value by hand")
        assert "hunter2" not in problem


def test_names_may_need_joiners(load_with):
    """An emoji of several parts is one name, of a device or of an event."""
    assert load_with(DEVICES="d=\U0001f468\u200d\U0001f467 Door").devices == {"d": "\U0001f468\u200d\U0001f467 Door"}
    event = "\U0001f468\u200d\U0001f467/*"
    assert load_with(SEVERITY_RULES=f"{event}=critical").severities.rules == ((event, Severity.CRITICAL),)


REFERENCES = ["${x}", "pa${x}ss-0123456789abcdef", "${HOME}", "'${x}'", '"${x:-default}"', "$${x}", "${}"]


@pytest.mark.parametrize("value", REFERENCES)
@pytest.mark.parametrize("name", ["SMTP_PASSWORD", "smtp_password", "API_TOKEN", "PORT", "FLASK_SECRET_KEY"])
def test_a_reference_in_an_env_file_is_named_with_its_line(tmp_path, name, value):
    """python-dotenv would put another variable's value there, or nothing, without a word."""
    file = tmp_path / ".env"
    file.write_text(f"# {name}=\nTIMEZONE=UTC\n\n# export {name}=first\n  {name} = {value}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    [problem] = caught.value.problems
    assert problem.startswith(
        f"{name.upper()} holds ${{...}} on line 5 of {file}, which is replaced by another variable's value"
    )


def test_what_dotenv_leaves_alone_or_the_environment_overrules_is_no_problem(tmp_path, load_with):
    """A dollar, a brace, Compose's variable, and a setting that the environment has; there `${x}` is itself."""
    file = tmp_path / ".env"
    file.write_text("SMTP_PASSWORD=$x$$y{z}${a:b}${\nCOMPOSE_FILE=${x}\nSMTP_USERNAME=${x}\n# API_TOKEN=${x}\n")
    assert load_with(SMTP_USERNAME="a${x}b").smtp_username == "a${x}b"
    settings = load(file)
    assert (settings.mail_password, settings.smtp_username) == ("$x$$y{z}${a:b}${", "a${x}b")


def test_a_reference_is_named_beside_all_other_problems(tmp_path):
    """Once, not also for what is left of its value."""
    file = tmp_path / ".env"
    file.write_text("API_TOKEN=a${x}b\nPORT=many\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [problem.split()[0] for problem in caught.value.problems] == ["API_TOKEN", "PORT"]


def test_all_problems_are_named_at_once(problems_with):
    """An operator can fix all settings in one go."""
    assert problems_with(API_TOKEN="short", PORT="many", TIMEZONE="Mars/Phobos") == [
        f"API_TOKEN {SHORT}",
        "TIMEZONE 'Mars/Phobos' is not a time zone; write one like Europe/Berlin or America/New_York",
        "PORT must be a whole number, such as 8000",
    ]


@pytest.mark.parametrize(
    ("variables", "problems"),
    [
        (
            {"SMTP_HOST": "mail.example.net"},
            ["SMTP_EMAIL is not set, but SMTP_HOST is: set the sender address of mails"],
        ),
        (
            {"HEARTBEAT_FAIL_URL": "https://example.org/fail"},
            ["HEARTBEAT_FAIL_URL is set, but HEARTBEAT_URL is not: set both"],
        ),
        (
            {"SMTP_HOST": "mail.example.net", "RECIPIENT_SMS": "5@vtext.com"},
            ["SMTP_EMAIL is not set, but SMTP_HOST is: set the sender address of mails"],
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_named(problems_with, variables, problems):
    """A mail server without a sender or a recipient is refused at start, not at the first alert."""
    assert problems_with(**variables) == problems


def test_no_setting_is_required(load_with):
    """The defaults work on a fresh machine: SQLite and the outbox."""
    settings = load_with()
    assert (settings.mail_host, settings.sqlite_file, settings.outbox_dir) == (
        None,
        Path("data/alertgate.db"),
        Path("data/outbox"),
    )
    assert (settings.host, settings.port, settings.mail_from) == ("127.0.0.1", 8000, "alertgate@localhost")


def test_an_empty_variable_counts_as_unset(load_with):
    """`API_TOKEN=` in a .env means no token, not an empty one."""
    settings = load_with(API_TOKEN="", RECIPIENT_EMAIL="", SMTP_PORT="", DATABASE_URL="")
    assert settings == load_with()


def test_an_unknown_variable_is_ignored(load_with):
    """Other variables in the environment do no harm."""
    assert load_with(ALERTGATE_UNKNOWN="1", FLASK_ENV="production") == load_with()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://alerts.example.org/", "https://alerts.example.org"),
        ("https://example.org:8443/alerts/", "https://example.org:8443/alerts"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_public_url_is_kept_without_a_slash_at_its_end(load_with, given, kept):
    """On this machine itself it needs no TLS, so that a first run can try the links."""
    assert load_with(PUBLIC_URL=given).public_url == kept


@pytest.mark.parametrize("name", ["SECRET_KEY", "FLASK_SECRET_KEY", "secret_key"])
def test_the_secret_key_can_be_set_by_its_old_name(load_with, name):
    """A deployment that moves from a Flask service can keep the name."""
    secret = load_with(**{name: GOOD_SECRET}).secret_key
    assert secret is not None
    assert secret.get_secret_value() == GOOD_SECRET


def test_a_secret_by_the_old_name_is_checked_too(problems_with):
    """A secret that is set by the old name must pass the same checks."""
    assert problems_with(FLASK_SECRET_KEY="short") == [f"SECRET_KEY {SHORT}"]


def test_the_env_file_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    """A .env contains settings, and a variable overrides it."""
    file = tmp_path / ".env"
    file.write_text("PORT=8001\nTIMEZONE='Europe/Berlin'  # home\nRECIPIENT_EMAIL=a@example.com, b@example.com\n")
    monkeypatch.setenv("PORT", "8002")
    settings = load(file)
    assert (settings.port, settings.timezone, settings.recipient_email) == (
        8002,
        "Europe/Berlin",
        ("a@example.com", "b@example.com"),
    )


def test_an_unreadable_env_file_is_named(tmp_path):
    """A .env that can't be read is a problem with its name, not a traceback."""
    file = tmp_path / ".env"
    file.write_bytes(b"PORT=\xff\xfe\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == [f"{file} can't be read: byte 6 isn't UTF-8; save it as UTF-8"]
    (tmp_path / "directory").mkdir()
    with pytest.raises(ConfigError, match="directory can't be read: Is a directory; make it a file that user"):
        load(tmp_path / "directory")


def test_an_explicit_env_file_must_exist(tmp_path):
    """A misspelt name isn't treated as an empty file."""
    file = tmp_path / "prod.env"
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == [f"{file} does not exist; name an existing file, or leave out --env-file"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("5 min", 300),
        ("5min", 300),
        ("1 minute 30 seconds", 90),
        ("2 Hours", 7200),
        ("3 days", 259200),
        ("90 sec", 90),
        ("24h", 86400),
        ("30s", 30),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1.5H", 5400),
        (" 5 m", 300),
        ("90", 90),
    ],
)
def test_a_duration_may_have_a_unit(load_with, text, seconds):
    """And it is in seconds without one."""
    assert load_with(GIVE_UP_AFTER=text).give_up_after == seconds


@pytest.mark.parametrize(("text", "days"), [("90", 90), ("90d", 90), ("48h", 2), ("0", 0)])
def test_days_may_have_a_unit(load_with, text, days):
    """They are days without one."""
    assert load_with(RETENTION_DAYS=text).retention_days == days


@pytest.mark.parametrize("text", ["leak=CRITICAL", ' {"leak": "critical"}'])
def test_severities_may_be_in_any_case(load_with, text):
    """As everywhere else, and as JSON too."""
    assert load_with(SEVERITY_RULES=text).severities.rules == (("leak", Severity.CRITICAL),)


def test_settings_cannot_change(load_with):
    """Settings are read once, and frozen."""
    settings = load_with()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("me@example.com", ("me@example.com",)),
        (" a@example.com , b@example.com,", ("a@example.com", "b@example.com")),
        ("a@example.com,b@example.com,a@example.com", ("a@example.com", "b@example.com")),
        (",", ()),
    ],
)
@pytest.mark.parametrize("name", ["RECIPIENT_EMAIL", "RECIPIENT_SMS"])
def test_recipients_are_a_comma_separated_list(load_with, name, text, addresses):
    """Spaces, empty entries and repeats are removed."""
    assert getattr(load_with(**{name: text}), name.lower()) == addresses


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("10.0.0.1", ("10.0.0.1",)),
        ("172.16.0.0/12, fd00::/8", ("172.16.0.0/12", "fd00::/8")),
        ("10.0.0.5/24", ("10.0.0.5/24",)),
    ],
)
def test_proxies_are_addresses_or_networks(load_with, text, networks):
    """A proxy is given by its address or its network."""
    assert load_with(TRUSTED_PROXIES=text).trusted_proxies == networks


@pytest.mark.parametrize(
    "device",
    [
        DOOR[:-1],
        f"{DOOR}0",
        "e00fce68",
        f"{DOOR[:12]} {DOOR[12:]}",
        f"{DOOR[:-1]}o",
        f"{DOOR[:8]}-{DOOR[8:]}",
        "0a10ac",
    ],
)
def test_an_id_that_is_nearly_a_devices_is_doubtful(load_with, device):
    """Its name would never be shown, and nobody would know why; the others are right."""
    [doubt] = load_with(DEVICES=f"{device}=Cellar,{DOOR}=Front door").device_doubts
    assert (device in doubt, "copy it from Particle's console" in doubt) == (True, True)


@pytest.mark.parametrize(
    "device", [DOOR, DOOR.upper(), "cellar", "d1", "facade", "a4:cf:12:f0:e1:b2", "a4cf12f0e1b2", "pump-0123456789"]
)
def test_an_id_of_another_sender_is_no_doubt(load_with, device):
    """They name their devices as they like."""
    assert load_with(DEVICES=f"{device}=Cellar").device_doubts == []


@pytest.mark.parametrize(
    "text",
    [
        f"{DOOR}=Front door,{DOOR[:-1]}1=Cellar = cold",
        f" {DOOR.upper()} = Front door , {DOOR[:-1]}1=Cellar = cold,",
        f'{{"{DOOR}": "Front door", "{DOOR[:-1]}1": "Cellar = cold"}}',
        f' {{"{DOOR.upper()}": "Front door", "{DOOR[:-1]}1": "Cellar = cold"}}',
    ],
)
def test_devices_have_names(load_with, text):
    """Device names are pairs or JSON, and the case of a device id doesn't matter."""
    settings = load_with(DEVICES=text)
    assert settings.devices == {DOOR: "Front door", f"{DOOR[:-1]}1": "Cellar = cold"}


@pytest.mark.parametrize("text", ["alarm/*=critical, *=info", '{"alarm/*": "critical", "*": "info"}'])
def test_severity_rules_keep_their_order(load_with, text):
    """Rules are pairs or JSON, and keep their order."""
    settings = load_with(SEVERITY_RULES=text, DEFAULT_SEVERITY="critical")
    assert settings.severities == SeverityRules(
        (("alarm/*", Severity.CRITICAL), ("*", Severity.INFO)), Severity.CRITICAL
    )


def test_grouping_rules_are_times(load_with):
    """Seconds become timedeltas."""
    assert load_with(GROUP_INTERVAL="90", RESOLVE_AFTER="0.5").grouping == GroupingRules(
        timedelta(seconds=90), timedelta(milliseconds=500)
    )


def test_the_timezone_becomes_a_zone(load_with):
    """TIMEZONE becomes a ZoneInfo; without it the settings name none."""
    assert load_with().zone is None
    assert load_with(TIMEZONE="America/New_York").zone == ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("tz", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        (":/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("EST5EDT", "EST5EDT"),
    ],
)
def test_tz_names_the_zone_where_timezone_does_not(load_with, tz, zone):
    """The system's variable counts in its usual forms, and never against TIMEZONE."""
    settings = load_with(TZ=tz)
    assert (settings.zone, settings.zone_doubt) == (ZoneInfo(zone), None)
    settings = load_with(TZ=tz, TIMEZONE="Asia/Tokyo")
    assert (settings.zone, settings.zone_doubt) == (ZoneInfo("Asia/Tokyo"), None)


def test_without_timezone_and_tz_the_settings_name_no_zone(load_with):
    """So that of the policy counts; an empty TZ is none."""
    assert (load_with(TZ="").zone, load_with(TZ="").zone_doubt) == (None, None)


@pytest.mark.parametrize("tz", ["CET-1CEST", "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3", "Berlin", "Europe", ":", "../x"])
def test_a_tz_that_names_no_zone_is_said_and_not_used(load_with, tz):
    """POSIX rules and nonsense leave the policy's zone, with a sentence that says so; TIMEZONE ends the doubt."""
    settings = load_with(TZ=tz)
    assert settings.zone is None
    assert settings.zone_doubt == (
        f"TZ is {tz!r}, which names no zone, so times in messages are in that of alertgate.toml, or in UTC; "
        "set TIMEZONE"
    )
    assert load_with(TZ=tz, TIMEZONE="Asia/Tokyo").zone_doubt is None


def test_relative_paths_are_relative_to_the_env_file(tmp_path, monkeypatch):
    """Those in it and the defaults; the environment's and the caller's are relative to the working directory."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    trustme.CA().cert_pem.write_to_path(str(home / "ca.pem"))
    monkeypatch.chdir(elsewhere)
    file = home / ".env"
    file.write_text("SMTP_CA_FILE=ca.pem\nDATA_DIR=store\n")
    settings = load(file)
    assert settings.sqlite_file == home / "store" / "alertgate.db"
    assert (settings.smtp_ca_file, settings.outbox_dir) == (home / "ca.pem", home / "store" / "outbox")
    assert (settings.policy_file, settings.must_have_policy) == (home / "alertgate.toml", False)
    file.write_text(f"POLICY_FILE=mine.toml\nSMTP_CA_FILE={home}/ca.pem\nDATA_DIR=\n")
    settings = load(file)
    assert (settings.policy_file, settings.must_have_policy) == (home / "mine.toml", True)
    assert (settings.data_dir, settings.smtp_ca_file) == (home / "data", home / "ca.pem")
    monkeypatch.setenv("data_dir", "of the environment")
    assert load(file).data_dir == Path("of the environment")
    assert load(file, data_dir=Path("of the caller")).data_dir == Path("of the caller")
    monkeypatch.chdir(home)
    assert load().policy_file == Path("mine.toml")


@pytest.mark.parametrize(
    ("variables", "server"),
    [
        ({}, ("smtp.gmail.com", 587)),
        ({"SMTP_SECURITY": "tls"}, ("smtp.gmail.com", 465)),
        ({"SMTP_SECURITY": "none"}, ("smtp.gmail.com", 25)),
        ({"SMTP_HOST": "mail.example.net"}, ("mail.example.net", 587)),
        ({"SMTP_HOST": "mail.example.net", "SMTP_SECURITY": "tls", "SMTP_PORT": "2465"}, ("mail.example.net", 2465)),
    ],
)
def test_the_mail_server_has_defaults(load_with, variables, server):
    """SMTP_EMAIL alone means Gmail, and the default port depends on SMTP_SECURITY."""
    settings = load_with(SMTP_EMAIL="me@gmail.com", RECIPIENT_EMAIL="me@gmail.com", **variables)
    assert (settings.mail_host, settings.mail_port, settings.mail_from) == (*server, "me@gmail.com")


BLANKS = ["\u00a0", "\u202f", "\u2003", "\u200b", "\ufeff", "\u00ad", "\u200e", "\t", "\r\n"]


@pytest.mark.parametrize("blank", [" ", *BLANKS], ids=ascii)
@pytest.mark.parametrize("host", [None, "smtp.gmail.com", "SMTP.Gmail.com"])
def test_what_is_pasted_with_gmails_app_password_is_dropped(load_with, host, blank):
    """Gmail's page shows it in four parts, with no-break spaces between them."""
    password = f"{blank}abcd{blank}efgh{blank}ijkl{blank} mnop{blank}"
    server = {"SMTP_HOST": host} if host else {}
    settings = load_with(**server, SMTP_EMAIL="me@gmail.com", RECIPIENT_EMAIL="me@gmail.com", SMTP_PASSWORD=password)
    assert settings.mail_password == "abcdefghijklmnop"


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_what_is_pasted_with_another_password_is_named(problems_with, blank):
    """Elsewhere it might be part of the password; it isn't shown."""
    mail = {"SMTP_HOST": "mail.example.net", "SMTP_EMAIL": "me@example.net", "RECIPIENT_EMAIL": "me@example.net"}
    [problem] = problems_with(**mail, SMTP_PASSWORD=f"hunter2{blank}hunter2")
    assert problem.startswith(f"SMTP_PASSWORD holds an invisible character (U+{ord(blank[0]):04X}")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("host", "password"),
    [("smtp.gmail.com", "abcdefghijklmnop"), ("mail.example.net", "abcd efgh ijkl mnop")],
)
def test_an_app_password_may_contain_its_spaces(load_with, host, password):
    """Gmail shows an app password with spaces that aren't part of it; those of other servers are kept."""
    settings = load_with(
        SMTP_HOST=host,
        SMTP_EMAIL="me@gmail.com",
        RECIPIENT_EMAIL="me@gmail.com",
        SMTP_PASSWORD="abcd efgh ijkl mnop",
    )
    assert settings.mail_password == password


WEB = "holds a web address, and not the name of a host"
NO_HOST = "is not the name of a host"
EXAMPLE = "write one like SMTP_HOST=smtp.example.org"


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("[::1]", "::1"),
        (" [2001:DB8::1] ", "2001:DB8::1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("[smtp.example.org]", "smtp.example.org"),
        ("smtp.example.org.", "smtp.example.org"),
        ("smtp.example.org. ", "smtp.example.org"),
        (" h ", "h"),
    ],
)
def test_a_mail_server_may_be_written_as_elsewhere(load_with, value, host):
    """With brackets, with the final dot of a full name, or with the blanks that were pasted with it."""
    assert load_with(SMTP_HOST=value, SMTP_EMAIL="a@x.net", RECIPIENT_EMAIL="b@x.net").smtp_host == host


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("127.0.0.1:2525", "holds a port: write SMTP_HOST=127.0.0.1, SMTP_PORT=2525"),
        ("[2001:DB8::1]:25", "holds a port: write SMTP_HOST=2001:db8::1, SMTP_PORT=25"),
        ("smtp://smtp.example.org", f"{WEB}: write SMTP_HOST=smtp.example.org"),
        ("smtp://user:hunter2@smtp.example.org:587", f"{WEB}: write SMTP_HOST=smtp.example.org, SMTP_PORT=587"),
        ("SMTPS://smtp.example.org:465/", f"{WEB}: write SMTP_HOST=smtp.example.org, SMTP_PORT=465, SMTP_SECURITY=tls"),
        ("https://mail.example.org/webmail", f"{WEB}: write SMTP_HOST=mail.example.org"),
        ("https://mail.example.org:8443/", f"{WEB}: write SMTP_HOST=mail.example.org"),
        ("me@example.org", f"holds a mail address, and not the name of a host: {EXAMPLE}"),
        ("smtp.example.org/", f"{NO_HOST}: write SMTP_HOST=smtp.example.org"),
        ("smtp.example.org 587", f"{NO_HOST}: {EXAMPLE}"),
        ("smtp..org", f"{NO_HOST}: {EXAMPLE}"),
        ("300.1.1.1", f"{NO_HOST}: {EXAMPLE}"),
        ("x" * 64 + ".org", f"{NO_HOST}: {EXAMPLE}"),
        ("smtp://", f"{WEB}: {EXAMPLE}"),
    ],
)
def test_a_mail_server_is_a_host_and_nothing_else(problems_with, value, problem):
    """What is pasted with it is named, with the settings that say the same; a password in it isn't shown."""
    mail = {"SMTP_EMAIL": "me@example.net", "RECIPIENT_EMAIL": "me@example.net"}
    assert problems_with(SMTP_HOST=value, **mail) == [f"SMTP_HOST {problem}"]


@pytest.mark.parametrize(
    "host", ["localhost", "mail", "mail_server", "smtp-1.example.org", "192.0.2.1", "2001:db8::1", "smtp.exämple.org"]
)
def test_a_host_may_have_any_name_that_resolvers_take(load_with, host):
    """Those of containers, of other scripts, and addresses."""
    assert load_with(SMTP_HOST=host, SMTP_EMAIL="a@x.net", RECIPIENT_EMAIL="b@x.net").mail_host == host


@pytest.mark.parametrize("name", ["alertgate", "Küche, links", "می\u200cنا", "\U0001f468\u200d\U0001f467", "x" * 64])
def test_the_sender_may_have_any_name_on_one_line(load_with, name):
    """Up to 64 characters, joiners included."""
    assert load_with(SMTP_FROM_NAME=name).smtp_from_name == name


def test_without_a_password_there_is_no_login(load_with):
    """A relay that needs no login has no password."""
    assert load_with().mail_password is None


def test_on_postgresql_there_is_no_sqlite_file(load_with):
    """DATABASE_URL replaces the SQLite file."""
    assert load_with(DATABASE_URL="postgresql+psycopg://user:hunter2@host/name").sqlite_file is None


@pytest.mark.parametrize("address", ["me@example.com", "o'brien+alerts@mail.example.co.uk", "5551234567@vtext.com"])
def test_addresses_are_accepted(address):
    """Ordinary addresses pass."""
    assert check_address(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "me",
        "@example.com",
        "me@",
        "Me <me@example.com>",
        "me@example.com\r\nBcc: you@example.com",
        "me@example.com\n",
        "me@example.com you@example.com",
        "me@example.com;you@example.com",
        "<me@example.com>",
        '"me"@example.com',
        "me@exämple.com",
        "mé@example.com",
        "me@example@com",
        "me(comment)@example.com",
        "me\x00@example.com",
    ],
    ids=ascii,
)
def test_an_address_that_smtp_cannot_carry_is_refused(address):
    """Display names, line breaks, lists and characters beyond ASCII are refused."""
    with pytest.raises(ValueError, match=r"is not an email address|contains a character"):
        check_address(address)


def test_an_address_that_is_too_long_for_smtp_is_refused():
    """254 characters: RFC 5321."""
    assert check_address(f"{'a' * 242}@example.com") is None
    with pytest.raises(ValueError, match="more than the 254 characters"):
        check_address(f"{'a' * 243}@example.com")


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("me@example.com", "m***@example.com"),
        ("@example.com", "***@example.com"),
        ("5551234567@vtext.com", "5***@vtext.com"),
        ("5551234567", "5***"),
        ("", "***"),
        ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/***"),
        ("https://example.org/to@secret", "https://example.org/***"),
        ("https://user:secret@example.org/secret", "h***"),
        ("json://user:secret@example.org/secret", "j***"),
        ("apprise:tgram://secret/at@secret", "a***"),
    ],
)
def test_a_masked_address_shows_only_its_domain(address, masked):
    """A log shows the domain that a notification went to, not the recipient."""
    assert mask(address) == masked


@for_any
@given(st.text())
def test_an_accepted_address_is_safe_in_a_header(address):
    """An accepted address has no character that could break out of a header or an SMTP command."""
    try:
        check_address(address)
    except ValueError:
        return
    assert address.isascii()
    assert address.isprintable()
    assert set(address) & set(' <>,;"\\') == set()
