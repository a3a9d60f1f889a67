"""What makes alerts belong to one incident. Pure."""

import json


def incident_key(kind: str, *parts: str) -> str:
    """Return the key of an incident: unlike for any other parts, whatever characters those hold."""
    return f"{kind}:{json.dumps(parts, separators=(',', ':'))}"
