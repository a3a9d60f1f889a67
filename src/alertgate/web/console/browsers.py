"""What browsers call themselves, in words. Pure."""

import re

from alertgate.notify.render.text import one_line

LONGEST = 60
_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?/|\bEdgiOS/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"(?:Chrome|CriOS)/")),
    ("Safari", re.compile(r"\bVersion/.*\bSafari/")),
)
"""Most name others beside themselves, so the first that is found counts."""
_SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("macOS", re.compile(r"\bMacintosh\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)


def browser(agent: str) -> str:
    """Return `Firefox on Android`, or else the beginning of what a browser called itself."""
    name = next((name for name, form in _BROWSERS if form.search(agent)), None)
    system = next((name for name, form in _SYSTEMS if form.search(agent)), None)
    if name and system:
        return f"{name} on {system}"
    return one_line(agent, LONGEST) or "a browser that doesn't say what it is"
