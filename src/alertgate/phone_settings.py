"""The settings of the ways to phones, chats and programs."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from alertgate.setting_types import Credential, ServiceUrl

_ACCOUNT = re.compile(r"AC[0-9a-f]{32}", re.IGNORECASE)
_SENDER = re.compile(r"\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32}")


def _checked_account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise ValueError("is not a Twilio account: copy the Account SID from its console, AC and 32 digits or letters")
    return value


def _checked_sender(value: str) -> str:
    if not _SENDER.fullmatch(value):
        raise ValueError(
            "is neither a number nor a messaging service: write the number as +15551234567, with its country's code "
            "and without spaces, or the service's SID, MG and 32 digits or letters"
        )
    return value


TwilioAccount = Annotated[str, AfterValidator(_checked_account)]
TwilioSender = Annotated[str, AfterValidator(_checked_sender)]


class PhoneSettings(BaseSettings):
    """What reaches phones beside mail. A part of `Settings`."""

    ntfy_url: ServiceUrl = Field("https://ntfy.sh", description="The ntfy server of `ntfy:TOPIC`.")
    ntfy_token: Credential | None = Field(
        None, description="Access token for `NTFY_URL`, `tk_…`, or a login, `user:password`. Unset: topics are public."
    )
    pushover_token: Credential | None = Field(None, description="API token of a Pushover application.")
    pushover_url: ServiceUrl = Field("https://api.pushover.net", description="Where Pushover is reached.")
    telegram_token: Credential | None = Field(None, description="Token of a Telegram bot, as @BotFather gives it.")
    telegram_url: ServiceUrl = Field(
        "https://api.telegram.org", description="Where Telegram's bot API is reached; or a server of your own."
    )
    twilio_account_sid: TwilioAccount | None = Field(None, description="Twilio account, `AC…`.")
    twilio_auth_token: Credential | None = Field(
        None, description="Auth token of the Twilio account; it also checks the signature of what Twilio sends."
    )
    twilio_from: TwilioSender | None = Field(
        None,
        description="Number that text messages and calls come from, `+15551234567`; for texts alone a messaging "
        "service, `MG…`.",
    )
    twilio_url: ServiceUrl = Field("https://api.twilio.com", description="Where Twilio is reached.")
    twilio_daily_limit: int = Field(
        0, ge=0, description="Most text messages and calls by Twilio in 24 hours; 0: no limit."
    )
    webhook_signing_secret: Credential | None = Field(
        None,
        description="Key that signs what `webhook:` sends: `whsec_` and base64 (Standard Webhooks), or any text. "
        "Unset: unsigned.",
    )
    matrix_url: ServiceUrl | None = Field(None, description="Matrix homeserver, `https://matrix.example.org`.")
    matrix_token: Credential | None = Field(None, description="Access token of the Matrix account that writes.")
    channels_private: bool = Field(
        False,
        description="Allow `webhook:`, `ntfy:https://…` and self-hosted services in private networks and on this "
        "machine.",
    )
    http_proxy_for_channels: bool = Field(
        False, description="Reach these services through the proxy that `HTTPS_PROXY` and `HTTP_PROXY` name."
    )
