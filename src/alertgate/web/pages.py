"""HTML pages for people: templates that escape what they show, under a policy that lets nothing else run or load."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("alertgate.web"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup(_style())  # noqa: S704  (our own file)
    return environment


@cache
def _style() -> str:
    return (files("alertgate.web") / "templates" / "page.css").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """Return the Content-Security-Policy: our style sheet alone, by its hash, and forms to this service alone."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


ROBOTS = "noindex, nofollow, noarchive"


def page(name: str, shown: Mapping[str, object], status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    """Return a page that no one keeps, indexes or frames; `more` are further headers."""
    headers = {"Content-Security-Policy": policy(), "X-Robots-Tag": ROBOTS, **(more or {})}
    return HTMLResponse(_environment().get_template(name).render(shown), status, headers)
