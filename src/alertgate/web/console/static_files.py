"""The console's style sheet, script and icon: the service's own, the same for everybody."""

from fastapi import APIRouter
from fastapi.responses import Response

from alertgate.errors import NotFound
from alertgate.web.console.pages import static_file

_TYPES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "manifest.webmanifest": "application/manifest+json",
}
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return a file; its address changes with its content. Raises NotFound."""
    if name not in _TYPES:
        raise NotFound("There is no such file.")
    return Response(static_file(name), media_type=_TYPES[name], headers=_KEPT)
