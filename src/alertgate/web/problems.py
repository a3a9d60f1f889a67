"""Errors become RFC 9457 problem details, by one table of types."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from alertgate import errors
from alertgate.web.paths import logged_path

log = structlog.stdlib.get_logger("alertgate.web")

MEDIA_TYPE = "application/problem+json"

PROBLEMS: dict[type[errors.AlertgateError], tuple[int, str, str]] = {
    errors.Unauthenticated: (401, "unauthenticated", "Not authenticated"),
    errors.Forbidden: (403, "forbidden", "Not allowed"),
    errors.NotFound: (404, "not-found", "Not found"),
    errors.Conflict: (409, "conflict", "Not possible in its present state"),
    errors.BodyTooSlow: (408, "body-too-slow", "The body took too long"),
    errors.BodyTooLarge: (413, "body-too-large", "The body is too large"),
    errors.WrongContentType: (415, "wrong-content-type", "Wrong content type"),
    errors.Malformed: (400, "malformed", "Not valid JSON"),
    errors.Invalid: (422, "invalid", "Fields are missing or wrong"),
    errors.RateLimited: (429, "rate-limited", "Too many requests"),
    errors.ClientGone: (400, "client-gone", "The request is incomplete"),
    errors.SwitchedOff: (503, "switched-off", "Switched off"),
    errors.StoreRefused: (503, "not-storable", "Can't be stored"),
    errors.StoreError: (503, "store-unavailable", "Can't be stored"),
    errors.Unavailable: (503, "unavailable", "Not available now"),
}
"""Status, last part of the type, and title of each error that a request can meet."""

REFUSED_DETAIL = (
    "The database works, but refuses what this request would store, and so would refuse it again. Nothing of it was "
    "stored. This is a defect in alertgate: its log says why, under this answer's X-Request-ID. Please report it."
)
STORE_DETAIL = "The database can't be used now, so nothing was stored; the log says why. Try again."
SLOW_DETAIL = (
    "The database didn't answer in time, so this may be done, or not. Look how it stands, and do it again if it isn't; "
    "send an alert again with the same id."
)


class FieldProblem(BaseModel):
    """One field that is missing or wrong."""

    field: str = Field(description="Dotted path; empty for the body as a whole.")
    message: str


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(examples=["urn:alertgate:problem:rate-limited"])
    title: str
    status: int
    detail: str = Field(description="What happened, what it means and what to do.")
    errors: list[FieldProblem] | None = None


def problem(status: int, kind: str, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return the body of a problem."""
    return {"type": f"urn:alertgate:problem:{kind}", "title": title, "status": status, "detail": detail, **more}


def internal_problem() -> dict[str, Any]:
    """Return the body for a defect in alertgate."""
    detail = (
        "This is a defect in alertgate. Its log has the traceback under this answer's X-Request-ID. "
        "What was sent may not be stored."
    )
    return problem(500, "internal", "Internal error", detail)


def response(body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the answer for a problem's body."""
    return JSONResponse(body, status_code=body["status"], media_type=MEDIA_TYPE, headers=headers)


def ambiguous_length_problem() -> dict[str, Any]:
    """Return the body for a request with both a Content-Length and a Transfer-Encoding."""
    detail = (
        "The request has both a Content-Length and a Transfer-Encoding, so two servers could disagree about where it "
        "ends. Send one of them. Nothing was stored."
    )
    return problem(400, "ambiguous-length", "Two lengths", detail)


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Answer every error of `app`, whose routes are in `routers`, with a problem."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]

    async def http(request: Request, error: Exception) -> JSONResponse:
        return _http(
            error, {m for route in routes if route.path_regex.match(request.url.path) for m in route.methods or ()}
        )

    async def ours(request: Request, error: Exception) -> JSONResponse:
        return answer(request, error)

    app.add_exception_handler(errors.AlertgateError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, _parameters)


def answer(request: Request, error: Exception) -> JSONResponse:
    """Return the answer for an error of the table, and log what only the log may say."""
    return response(*describe(request, error))


def describe(request: Request, error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body and the headers for an error of the table, and log what only the log may say."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = f'{error.scheme} realm="alertgate"'
    if isinstance(error, errors.BodyTooSlow | errors.TooManyUnfinished):
        headers["Connection"] = "close"  # the rest of the body would be read to its end
    if isinstance(error, errors.RateLimited | errors.Unavailable) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.StoreError):
        log.error("store.failed", path=logged_path(request.url.path), detail=str(error))
    return described(error), headers


def described(error: Exception) -> dict[str, Any]:
    """Return the body for an error of the table."""
    status, kind, title = next(PROBLEMS[base] for base in type(error).__mro__ if base in PROBLEMS)
    more: dict[str, Any] = {}
    if isinstance(error, errors.Rejected) and error.errors:
        more["errors"] = [{"field": e.field, "message": e.message} for e in error.errors]
    return problem(status, kind, title, _detail(error), **more)


def _detail(error: Exception) -> str:
    """Return what the caller is told: the database's own errors may name hosts and users."""
    match error:
        case errors.StoreRefused():
            return REFUSED_DETAIL
        case errors.StoreTooSlow():
            return SLOW_DETAIL
        case errors.StoreError():
            return STORE_DETAIL
    return str(error)


def _http(error: Exception, methods: set[str]) -> JSONResponse:
    """Answer 404, 405 and the like, which FastAPI raises; `methods` are those that the path takes."""
    if not isinstance(error, HTTPException):
        raise error
    title = HTTPStatus(error.status_code).phrase
    details = {
        404: "There is nothing at this path; check it against the documentation of the API.",
        405: "This path doesn't take this method; the Allow header says which it takes.",
    }
    body = problem(error.status_code, title.lower().replace(" ", "-"), title, details.get(error.status_code, title))
    headers = dict(error.headers or {})
    if error.status_code == 405 and methods:
        headers["Allow"] = ", ".join(sorted(methods))  # FastAPI names the first route's methods only
    return response(body, headers)


async def _parameters(_: Request, error: Exception) -> JSONResponse:
    """Answer for query and path parameters, which FastAPI checks."""
    if not isinstance(error, RequestValidationError):
        raise error
    fields = [{"field": ".".join(map(str, e["loc"][1:])), "message": e["msg"]} for e in error.errors()]
    detail = "Parameters are missing or wrong. Fix the fields listed in `errors`."
    return response(problem(422, "invalid", "Fields are missing or wrong", detail, errors=fields))
