"""The webhook to paste into Particle's console.

Source: Particle's "Webhooks" reference, template variables. Three braces, because two would HTML-escape the values.
"""

import json
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

EXAMPLE = "https://alerts.example.org"


def public_address(url: str) -> str:
    """Return the address that Particle's cloud can call, as https://host. Raises ValueError with the right form."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = (parts.hostname or "").encode("idna").decode()
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # also UnicodeError, for labels that are empty or too long
        raise ValueError(f"it isn't a web address; write one like {EXAMPLE}") from None
    right = f"https://[{host}]{port}" if ":" in host else f"https://{host}{port}"
    if problem := _problem(parts):
        raise ValueError(f"it {problem}; write {right if _is_public(host) else EXAMPLE}")
    if not _is_public(host):
        raise ValueError(f"it is an address that Particle's cloud can't reach; write one like {EXAMPLE}")
    return right


def _problem(parts: SplitResult) -> str | None:
    """Return what is wrong with the form of an address. It isn't shown, because it may hold a password."""
    if parts.scheme != "https":
        return "must begin with https://, because the token would cross the Internet unencrypted"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password, which Particle doesn't need: the token is in a header"
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        return "has more than a host; the template adds /webhook/particle itself"
    return None


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        is_name = all(character.isalnum() or character in ".-_" for character in host)
        return is_name and "." in host.strip(".") and not host.endswith((".localhost", ".local", ".internal"))


VITALS = "spark/"
"""The prefix of what Particle's cloud itself says of devices."""


def particle_template(url: str, event: str, token: str) -> str:
    """Return the webhook as Particle's JSON. `url` is the service's address, from `public_address`."""
    return json.dumps(
        {
            "event": event,
            "url": f"{url}/webhook/particle",
            "requestType": "POST",
            "noDefaults": True,
            "rejectUnauthorized": True,
            "headers": {"Authorization": f"Bearer {token}"},
            # A form, not JSON: Particle encodes each form value, so quotes in the data can't break the body.
            "form": {
                "event": "{{{PARTICLE_EVENT_NAME}}}",
                "data": "{{{PARTICLE_EVENT_VALUE}}}",
                "coreid": "{{{PARTICLE_DEVICE_ID}}}",
                "published_at": "{{{PARTICLE_PUBLISHED_AT}}}",
                "event_id": "{{{PARTICLE_EVENT_ID}}}",
                "productID": "{{{PRODUCT_ID}}}",
                "fw_version": "{{{PRODUCT_VERSION}}}",
                "userid": "{{{PRODUCT_USER_ID}}}",
            },
        },
        indent=2,
    )
