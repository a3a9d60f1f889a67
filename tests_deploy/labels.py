"""compose.yaml's labels, and more of them, in the form of a file that Traefik reads."""

import re
from typing import Any

import yaml

from tests_deploy.stack import ROOT

_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_PREFIX = "traefik.http."
_LISTS = {"middlewares", "entrypoints", "sourcerange", "authresponseheaders"}


def labels(**variables: str) -> dict[str, str]:
    """Return the labels of compose.yaml, with what `.env` would say."""
    text = (ROOT / "compose.yaml").read_text()
    given = yaml.safe_load(text)["services"]["alertgate"]["labels"]
    return {name: _VARIABLE.sub(lambda m: variables.get(m[1], m[2]), value) for name, value in given.items()}


def as_file(given: dict[str, str], upstream: str) -> dict[str, Any]:
    """Return labels as a file's content, with one server behind them; certificates are the file's own affair."""
    content: dict[str, Any] = {}
    for name, value in given.items():
        if not name.startswith(_PREFIX) or name.endswith((".certresolver", ".server.port")):
            continue
        place = content
        *path, last = name.removeprefix(_PREFIX).split(".")
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value.split(",") if last.lower() in _LISTS else value
    for router in content["routers"].values():
        router["tls"] = {}
    content["services"] = {"alertgate": {"loadBalancer": {"servers": [{"url": upstream}]}}}
    return content
