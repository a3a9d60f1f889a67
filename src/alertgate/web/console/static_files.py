"""The console's style sheet, script and icon: the service's own, the same for everybody."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alertgate.errors import NotFound
from alertgate.web.console.pages import static_file, static_url

_TYPES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "icon-180.png": "image/png",
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable.png": "image/png",
    "manifest.webmanifest": "application/manifest+json",
}
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
_KEPT_A_DAY = {"Cache-Control": "public, max-age=86400"}
"""For an address without the content's digest, as the manifest names the icons."""
_NOT_KEPT = {"Cache-Control": "no-store"}
"""For the digest of another version, as while replicas are updated: kept, this one would stand in for that."""

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Return a file, to be kept for ever if its address has its digest. Raises NotFound."""
    if name not in _TYPES:
        raise NotFound("There is no such file.")
    is_exact = f"{request.url.path}?{request.url.query}" == static_url(name)
    kept = _KEPT if is_exact else _NOT_KEPT if request.url.query else _KEPT_A_DAY
    return Response(static_file(name), media_type=_TYPES[name], headers=kept)
