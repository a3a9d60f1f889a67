"""Swagger UI from the service itself: no outside host, no inline script, under a strict policy."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets style attributes, so inline styles are allowed; scripts are not."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>alertgate API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null, tryItOutEnabled: true,
});
"""
_CACHED = {"Cache-Control": "public, max-age=86400"}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Show the API's documentation."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """Start Swagger UI."""
    return Response(START, media_type="text/javascript", headers=_CACHED)


@router.get("/docs/swagger-ui-bundle.js")
async def bundle() -> Response:
    """Swagger UI's script."""
    return _asset("swagger-ui-bundle.js", "text/javascript")


@router.get("/docs/swagger-ui.css")
async def style() -> Response:
    """Swagger UI's style sheet."""
    return _asset("swagger-ui.css", "text/css")


def _asset(name: str, media_type: str) -> Response:
    return Response(_content(name), media_type=media_type, headers=_CACHED)


@cache
def _content(name: str) -> bytes:
    """Read a file once: all answers that wait to be sent share it."""
    return (files("fastapi_offline") / "static" / name).read_bytes()
