"""Swagger UI from the service itself: no outside host, no inline script, under a strict policy.

Anybody may ask for its script of 1.5 MB, often, and not read it. So it is compressed, once, and sent in pieces: while a
caller reads slowly, uvicorn waits with the next piece, and all callers share one copy of the rest.
"""

import gzip
import re
from collections.abc import AsyncIterator
from functools import cache
from importlib.resources import files
from threading import Lock

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from alertgate.web.openapi import ADDRESS

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
START = f"""const here = new URL(".", location.href).href;
window.ui = SwaggerUIBundle({{
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null, tryItOutEnabled: true,
  responseInterceptor: (answer) => {{
    if (answer.url === here + "openapi.json") answer.text = answer.text.replaceAll("{ADDRESS}/", here);
    return answer;
  }},
}});
"""
"""What is to be pasted into a shell has the address that the page was opened at; the service itself doesn't know it."""
_CACHED = {"Cache-Control": "public, max-age=86400"}
PIECE = 32 * 1024
"""Bytes."""

_compressing = Lock()
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
def bundle(request: Request) -> Response:
    """Swagger UI's script."""
    return _asset(request, "swagger-ui-bundle.js", "text/javascript")


@router.get("/docs/swagger-ui.css")
def style(request: Request) -> Response:
    """Swagger UI's style sheet."""
    return _asset(request, "swagger-ui.css", "text/css")


def _asset(request: Request, name: str, media_type: str) -> Response:
    """Return a file. Its routes are plain functions, which run in a thread: the first one compresses for 0.1 s."""
    compressed = _takes_gzip(request)
    with _compressing:  # several first callers would each compress it
        content = _content(name, compressed=compressed)
    headers = {**_CACHED, "Vary": "Accept-Encoding", "Content-Length": str(len(content))}
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return StreamingResponse(_pieces(content), media_type=media_type, headers=headers)


def _takes_gzip(request: Request) -> bool:
    """Tell whether a caller takes gzip: a coding with a weight of zero is one that it doesn't."""
    codings = (coding.partition(";") for coding in ",".join(request.headers.getlist("accept-encoding")).split(","))
    weights = {name.strip().lower(): weight.replace(" ", "").lower() for name, _, weight in codings}
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return not re.fullmatch(r"q=0(\.0*)?", weight)


@cache
def _content(name: str, *, compressed: bool) -> bytes:
    """Read a file once: all answers that wait to be sent share it."""
    content = (files("fastapi_offline") / "static" / name).read_bytes()
    return gzip.compress(content, mtime=0) if compressed else content


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
