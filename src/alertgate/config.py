"""All settings, each with its type, default, unit and help. There is no global instance."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from alertgate import setting_lists
from alertgate.mail_settings import MailSettings
from alertgate.model import Severity
from alertgate.phone_settings import PhoneSettings
from alertgate.rules import GroupingRules, SeverityRules
from alertgate.secret_settings import SecretSettings
from alertgate.setting_types import (
    AnyCase,
    DatabaseUrl,
    Days,
    DeviceNames,
    Networks,
    PublicUrl,
    RateLimit,
    Seconds,
    SeverityByEvent,
    TimeZone,
    WebAddress,
    refuse_invisible,
    refuse_quotes,
    zone_of_tz,
)


class Settings(PhoneSettings, MailSettings, SecretSettings):
    """The settings, read from the environment, then `.env`, then files in /run/secrets.

    Frozen. Raises pydantic's ValidationError; `settings_load.load` turns that into one readable list.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, populate_by_name=True
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
        Path("alertgate.toml"),
        description="The policy: what events mean (docs/events.md), and who is told what, when (docs/people.md). Read "
        "at start and on SIGHUP. The default is beside `.env`, and may be missing; one that is named here must exist.",
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
    timezone: TimeZone | None = Field(
        None,
        description="Time zone of the times in messages, such as `Europe/Berlin`. Unset: the one that `TZ` names, else "
        "that of alertgate.toml, else UTC.",
    )
    tz: str | None = Field(
        None,
        description="The system's own variable, for where `TIMEZONE` is unset. Counts if it names a zone: "
        "`Europe/Berlin` or `:Europe/Berlin`, but not `CET-1CEST`.",
    )

    # Service
    public_url: PublicUrl | None = Field(
        None,
        description="Where phones reach this service, such as `https://alerts.example.org`. With it and `SECRET_KEY` "
        "each message has a link to answer by. At most 80 characters; a short one leaves room in text messages.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data_dir: Path = Field(
        Path("data"), description="Directory of the database and the outbox; the default is beside `.env`."
    )
    database_url: DatabaseUrl | None = Field(
        None,
        description="PostgreSQL database, `postgresql://user:password@host:5432/name` (needs the extra `postgres`); "
        "special characters in the password are percent-encoded (`@` is `%40`). Unset: SQLite in "
        "`DATA_DIR/alertgate.db`.",
    )
    retention_days: Days = Field(
        90,
        description="Days to keep a resolved incident with its alerts, notifications and attempts. 0: forever.",
    )
    heartbeat_url: WebAddress | None = Field(
        None,
        description="Ping URL of an external dead man's switch such as healthchecks.io, requested every "
        "`HEARTBEAT_INTERVAL`; with `/fail` appended while something is wrong.",
    )
    heartbeat_fail_url: WebAddress | None = Field(
        None,
        description="Requested instead of `HEARTBEAT_URL` with `/fail` while something is wrong, for services whose "
        "address for failures is another one.",
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
    metrics_devices: bool = Field(
        False,
        description="Have `/metrics` say of each device when it was last heard. A fleet of thousands makes as many "
        "series.",
    )
    docs_enabled: bool = Field(True, description="Serve `/docs` and `/openapi.json`.")
    console_enabled: bool = Field(True, description="Serve the console at `/`: pages for people (docs/console.md).")
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
    def zone(self) -> ZoneInfo | None:
        """The time zone of the times in messages, if TIMEZONE or TZ names one; else the policy's counts."""
        return ZoneInfo(self.timezone) if self.timezone else zone_of_tz(self.tz or "")

    @property
    def zone_doubt(self) -> str | None:
        """Say if TZ should name the time zone, but doesn't."""
        if self.timezone or not self.tz or zone_of_tz(self.tz):
            return None
        return (
            f"TZ is {self.tz!r}, which names no zone, so times in messages are in that of alertgate.toml, or in UTC; "
            "set TIMEZONE"
        )

    @property
    def device_doubts(self) -> list[str]:
        """Say which ids in DEVICES may be mistyped."""
        return [doubt for device in self.devices if (doubt := setting_lists.doubtful_device(device))]

    @property
    def outbox_dir(self) -> Path:
        """The Maildir for messages while no mail server is configured."""
        return self.data_dir / "outbox"

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return None if self.database_url else self.data_dir / "alertgate.db"

    @property
    def must_have_policy(self) -> bool:
        """Whether the policy's file must exist, because the settings name it."""
        return "policy_file" in self.model_fields_set

    @property
    def grouping(self) -> GroupingRules:
        """The rules for grouping."""
        return GroupingRules(timedelta(seconds=self.group_interval), timedelta(seconds=self.resolve_after))

    @property
    def severities(self) -> SeverityRules:
        """The rules for severities."""
        return SeverityRules(self.severity_rules, self.default_severity)
