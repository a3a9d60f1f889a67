"""The webhook to paste into Particle's console.

Source: Particle's "Webhooks" reference, template variables. Three braces, because two would HTML-escape the values.
"""

import json


def particle_template(url: str, event: str, token: str) -> str:
    """Return the webhook as Particle's JSON. `url` is the service's public address."""
    return json.dumps(
        {
            "event": event,
            "url": f"{url.rstrip('/')}/webhook/particle",
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
