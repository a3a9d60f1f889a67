"""The settings that are secrets of the service itself."""

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings

from alertgate.setting_types import Secret


class SecretSettings(BaseSettings):
    """Keys and tokens. A part of `Settings`."""

    secret_key: Secret | None = Field(
        None,
        validation_alias=AliasChoices("SECRET_KEY", "FLASK_SECRET_KEY"),
        description="Makes the links of messages, with `PUBLIC_URL`, and signs the pagination cursors of the API. Also "
        "read as `FLASK_SECRET_KEY`.",
    )
    secret_key_previous: Secret | None = Field(
        None, description="Previous key: links that it made still work. Removing it ends them."
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
