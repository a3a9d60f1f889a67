"""The incident key: alerts with the same key belong to the same incident. Pure."""

import json


def incident_key(kind: str, *parts: str) -> str:
    """Return an incident key; different parts never give the same key, whatever characters they contain."""
    return f"{kind}:{json.dumps(parts, separators=(',', ':'))}"
