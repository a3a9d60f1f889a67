"""All settings, each with its type, default, unit and help. There is no global instance."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from alertgate.env_file import replaced_values
from alertgate.errors import ConfigError
from alertgate.model import Severity
from alertgate.rules import GroupingRules, SeverityRules
from alertgate.setting_types import (
    Address,
    Addresses,
    AnyCase,
    DatabaseUrl,
    DeviceNames,
    MailHost,
    Networks,
    Password,
    RateLimit,
    Seconds,
    Secret,
    SenderName,
    SeverityByEvent,
    TimeZone,
    WebAddress,
    invisible,
    refuse_invisible,
    refuse_quotes,
    without_blanks,
)

SECRETS_DIR = Path("/run/secrets")
DEFAULT_ENV_FILE = Path(".env")
DEFAULT_POLICY_FILE = Path("alertgate.toml")


class Settings(BaseSettings):
    """The settings, read from the environment, then `.env`, then files in /run/secrets.

    Frozen. Raises pydantic's ValidationError; `load` turns that into one readable list.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, populate_by_name=True
    )

    # Secrets
    secret_key: Secret | None = Field(
        None,
        validation_alias=AliasChoices("SECRET_KEY", "FLASK_SECRET_KEY"),
        description="Signs the pagination cursors of the API. Also read as `FLASK_SECRET_KEY`.",
    )
    particle_webhook_secret: Secret | None = Field(
        None, description="Bearer token that Particle sends. Unset: the Particle webhook is off and answers 503."
    )
    particle_webhook_secret_previous: Secret | None = Field(
        None, description="Previous token, still accepted, so that the token can be rotated without losing alerts."
    )
    webhook_secret: Secret | None = Field(
        None,
        description="Key that signs requests to the generic webhook: `whsec_` and base64, as `alertgate init` writes "
        "it for the Standard Webhooks libraries, or any text. Unset, and `WEBHOOK_TOKEN` too: the generic webhook is "
        "off and answers 503.",
    )
    webhook_secret_previous: Secret | None = Field(None, description="Previous key, still accepted.")
    webhook_token: Secret | None = Field(
        None,
        description="Bearer token for the generic webhook, for senders that can't sign. Unset: no token is accepted.",
    )
    webhook_token_previous: Secret | None = Field(None, description="Previous token, still accepted.")
    api_token: Secret | None = Field(
        None, description="Bearer token for `/api`. Unset: the API is off and answers 503."
    )
    api_token_previous: Secret | None = Field(None, description="Previous token, still accepted.")
    metrics_token: Secret | None = Field(
        None, description="Bearer token for `/metrics`. Unset: anyone who can reach the service can read the metrics."
    )
    metrics_token_previous: Secret | None = Field(None, description="Previous token, still accepted.")

    # Recipients
    recipient_email: Addresses = Field(
        (),
        repr=False,
        description="Recipients of mails, comma-separated. An address at a known SMS gateway gets a text message.",
    )
    recipient_sms: Addresses = Field(
        (),
        repr=False,
        description="Recipients of text messages, comma-separated: addresses at an email-to-SMS gateway, known or not.",
    )

    # Mail
    smtp_host: MailHost | None = Field(
        None,
        description="Mail server, as a host name or address. Unset: `smtp.gmail.com` if `SMTP_EMAIL` is set, else "
        "messages are written to the outbox, a Maildir under `DATA_DIR`.",
    )
    smtp_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the mail server. Unset: 587 for `starttls`, 465 for `tls`, 25 for `none`.",
    )
    smtp_security: Annotated[Literal["starttls", "tls", "none"], AnyCase] = Field(
        "starttls", description="Encryption: `starttls`, `tls` or `none`. Never falls back to plain text."
    )
    smtp_username: str | None = Field(None, repr=False, description="User name of the login. Unset: `SMTP_EMAIL`.")
    smtp_email: Address | None = Field(None, repr=False, description="Sender address of mails.")
    smtp_from_name: SenderName = Field("alertgate", description="Name that mails show as their sender.")
    smtp_password: Password | None = Field(
        None,
        description="Password of the login; for Gmail an app password, with or without its spaces. Unset: no login.",
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="PEM file of a certificate authority to trust besides the system's, for a private mail server.",
    )
    smtp_connections: int = Field(2, ge=1, le=20, description="Maximum number of connections to the mail server.")
    smtp_timeout: Seconds = Field(20.0, le=40, description="Seconds to wait for each reply of the mail server.")

    smtp_daily_limit: int = Field(
        500,
        ge=0,
        description="Messages that the mail account may send in 24 hours, mails and text messages together. From "
        "80 % on, what isn't critical is sent as digests; from 95 % on, only what is critical; at the limit, nothing "
        "until there is room again. 0: no limit.",
    )

    # Alerts
    devices: DeviceNames = Field(
        default_factory=dict,
        description="Device names, as `id=Front door,id=Cellar` or as a JSON object.",
    )
    default_severity: Annotated[Severity, AnyCase] = Field(
        Severity.WARNING, description="Severity of an alert that names none and matches no rule."
    )
    severity_rules: SeverityByEvent = Field(
        (), description="Severity by event name; the first match wins: `alarm/*=critical,battery*=info`."
    )
    policy_file: Path = Field(
        DEFAULT_POLICY_FILE,
        description="The policy: what events mean (docs/events.md). Read at start and on SIGHUP. The default file may "
        "be missing; any other must exist.",
    )
    particle_strict: bool = Field(
        False,
        description="Answer 422 to an authenticated Particle request that can't be read (it is stored either way).",
    )
    group_interval: Seconds = Field(
        300.0,
        description="Seconds between the first updates to one recipient about one incident; later ones come less "
        "often. Within this time after its all-clear an incident is reopened.",
    )
    flood_limit: int = Field(
        5,
        ge=0,
        le=1000,
        description="Messages that one recipient gets in a minute before the rest is gathered into a digest: one "
        "message about many incidents. The beginning of something critical has a limit of the same size for itself. "
        "0: no digests, except near `SMTP_DAILY_LIMIT`.",
    )
    resolve_after: Seconds = Field(
        1800.0,
        description="Seconds without an alert, and without a message about it, after which an incident is resolved, "
        "without a notification. An acknowledged one stays open for at least four hours.",
    )
    give_up_after: Seconds = Field(86400.0, description="Seconds to retry a notification before it counts as failed.")
    timezone: TimeZone = Field("UTC", description="Time zone of the times in messages, such as `Europe/Berlin`.")

    # Service
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data_dir: Path = Field(Path("data"), description="Directory of the database and the outbox.")
    database_url: DatabaseUrl | None = Field(
        None,
        description="PostgreSQL database, `postgresql+psycopg://user:password@host/name` (needs the extra "
        "`postgres`). Unset: SQLite in `DATA_DIR/alertgate.db`.",
    )
    retention_days: int = Field(
        90,
        ge=0,
        le=36500,
        description="Days to keep a resolved incident with its alerts, notifications and attempts. 0: forever.",
    )
    heartbeat_url: WebAddress | None = Field(
        None,
        description="Ping URL of an external dead man's switch such as healthchecks.io, requested every "
        "`HEARTBEAT_INTERVAL`; with `/fail` appended while something is wrong.",
    )
    heartbeat_interval: Seconds = Field(60.0, description="Seconds between two heartbeats.")
    trusted_proxies: Networks = Field(
        (), description="Addresses or networks of proxies whose `X-Forwarded-For` is trusted, comma-separated."
    )
    max_body_bytes: int = Field(131072, ge=1024, le=16777216, description="Maximum size of a webhook body, in bytes.")
    body_timeout: Seconds = Field(10.0, description="Seconds to wait for the whole body of a webhook.")
    rate_limit: RateLimit = Field(
        "20/minute;100/10 minutes",
        description="Limit per client address, counted separately for failed authentication and for requests to the "
        "generic webhook whose signature or token is right.",
    )
    particle_rate_limit: RateLimit = Field(
        "600/minute", description="Limit of authenticated Particle requests per device."
    )
    docs_enabled: bool = Field(True, description="Serve `/docs` and `/openapi.json`.")
    shutdown_timeout: Seconds = Field(
        10.0, description="Seconds to finish the notifications that are being sent when the service stops."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = Field(
        "info", description="Lowest level to log."
    )
    log_format: Annotated[Literal["auto", "json", "console"], AnyCase] = Field(
        "auto", description="`auto`: readable lines on a terminal, JSON elsewhere."
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: dict[str, object]) -> dict[str, object]:
        # Also for empty files of secrets: pydantic-settings ignores only empty variables.
        return {name: value for name, value in values.items() if value != ""}

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_pasted(cls, value: object, info: ValidationInfo) -> object:
        """Refuse quotes around a value and invisible characters in it: they are pasted by mistake and hard to find."""
        if isinstance(value, str):
            refuse_quotes(value)
            # Devices are named freely; which characters a password may hold depends on the mail server.
            if info.field_name not in {"devices", "smtp_password"}:
                refuse_invisible(value, joiners=info.field_name in {"severity_rules", "smtp_from_name"})
        return value

    @property
    def mail_host(self) -> str | None:
        """The mail server, or None if messages are written to the outbox."""
        return self.smtp_host or ("smtp.gmail.com" if self.smtp_email else None)

    @property
    def mail_port(self) -> int:
        """The mail server's port."""
        return self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.smtp_security]

    @property
    def mail_password(self) -> str | None:
        """The password, without the spaces that Gmail shows in an app password, which may be no-break spaces."""
        if self.smtp_password is None:
            return None
        text = self.smtp_password.get_secret_value()
        return without_blanks(text) if (self.mail_host or "").lower() == "smtp.gmail.com" else text

    @property
    def mail_from(self) -> str:
        """The sender's address."""
        return self.smtp_email or "alertgate@localhost"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the times in messages."""
        return ZoneInfo(self.timezone)

    @property
    def outbox_dir(self) -> Path:
        """The Maildir for messages while no mail server is configured."""
        return self.data_dir / "outbox"

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return None if self.database_url else self.data_dir / "alertgate.db"

    def device_name(self, device: str | None) -> str | None:
        """Return the name that DEVICES gives to a device id, or None."""
        return self.devices.get(device.lower()) if device else None

    @property
    def must_have_policy(self) -> bool:
        """Whether the policy's file must exist, because the settings name it."""
        return self.policy_file != DEFAULT_POLICY_FILE

    @property
    def grouping(self) -> GroupingRules:
        """The rules for grouping."""
        return GroupingRules(timedelta(seconds=self.group_interval), timedelta(seconds=self.resolve_after))

    @property
    def severities(self) -> SeverityRules:
        """The rules for severities."""
        return SeverityRules(self.severity_rules, self.default_severity)


ENV_NAMES = frozenset({*map(str.upper, Settings.model_fields), "FLASK_SECRET_KEY"})
"""The names of the settings as environment variables."""


def load(env_file: Path | None = DEFAULT_ENV_FILE, **overrides: Any) -> Settings:
    """Read the settings. Raises ConfigError with one readable line for each problem.

    `overrides` are settings by their Python names; they take precedence.
    """
    secrets = SECRETS_DIR if SECRETS_DIR.is_dir() else None
    replaced: list[str] = []
    if env_file not in (None, DEFAULT_ENV_FILE) and not env_file.is_file():
        raise ConfigError([f"{env_file} does not exist; name an existing file, or leave out --env-file"])
    try:
        replaced = replaced_values(env_file, ENV_NAMES) if env_file else []
        settings = Settings(_env_file=env_file, _secrets_dir=secrets, **overrides)
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False, include_input=False)]
        named = {line.partition(" ")[0].removeprefix("FLASK_") for line in replaced}
        raise ConfigError([*replaced, *(line for line in lines if line.partition(" ")[0] not in named)]) from None
    except SettingsError as error:
        raise ConfigError([f"a file in {SECRETS_DIR} can't be read: {error}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{env_file} can't be read: {error}"]) from None
    if problems := replaced or _inconsistent(settings):
        raise ConfigError(problems)
    return settings


def _line(problem: Any) -> str:
    name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
    return f"{name} {problem['msg'].removeprefix('Value error, ')}"


def _inconsistent(settings: Settings) -> list[str]:
    """Return the problems of settings that don't fit together."""
    problems = []
    if settings.mail_host and not settings.smtp_email:
        problems.append("SMTP_EMAIL is not set, but SMTP_HOST is: set the sender address of mails")
    if settings.mail_host and not (settings.recipient_email or settings.recipient_sms):
        problems.append("RECIPIENT_EMAIL and RECIPIENT_SMS are both empty: nobody would be notified; set at least one")
    if settings.smtp_ca_file and not settings.smtp_ca_file.is_file():
        problems.append(f"SMTP_CA_FILE {settings.smtp_ca_file} is not a file")
    if settings.mail_host and (name := invisible(settings.mail_password or "")):
        problems.append(f"SMTP_PASSWORD holds an invisible character ({name}): type it by hand, or paste it as text")
    return problems
