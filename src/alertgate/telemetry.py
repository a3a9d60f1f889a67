"""Logging: one line per event, as JSON unless standard error is a terminal."""

import json
import logging
import logging.config
import os
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Literal, cast

import structlog

from alertgate.characters import escaped
from alertgate.line_budget import LineBudget

# Tracebacks without the values of variables, which may be secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _without_none(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Leave out what isn't known: `device=None` tells nobody anything."""
    return {name: value for name, value in event.items() if value is not None}


_encoder = json.JSONEncoder(ensure_ascii=False, default=repr)
_JSON = structlog.processors.JSONRenderer(serializer=lambda event, **_: _encoder.encode(event))
_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    _without_none,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def _visible(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape characters that could forge a line or control a terminal: paths and event names are untrusted."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = escaped(value)
    return event


def _visible_json(_: object, __: str, line: Any) -> str:
    """Escape the same characters in a line of JSON, with JSON's escapes."""
    text = str(line)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


class Stream:
    """The output of the log. Lines that can't be written are dropped, so that a lost log doesn't stop the service."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        """Write `data`, or drop it if that fails."""
        self._try(lambda: self._file.write(data))

    def flush(self) -> None:
        """Flush; ignore failures."""
        self._try(self._file.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BrokenPipeError:
            self._discard_output()
        except OSError:
            return  # such as a full disk, which may have space later

    def _discard_output(self) -> None:
        """Write to /dev/null from now on: the reader is gone, and Python would exit with an error otherwise."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._file.fileno())
        os.close(null)


MALFORMED_REQUEST = "request.malformed"


class MalformedRequests(logging.Filter):
    """Makes uvicorn's warning about a malformed request `request.malformed` at "info", as any request has a line.

    Strangers send those, so there are only so many lines a minute. Drops uvicorn's warnings about upgrades, which are
    two for each request that asks for one.
    """

    def __init__(self, level: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._wanted = logging.getLevelNamesMapping()[level.upper()] <= logging.INFO
        self._monotonic = monotonic
        self._lines = LineBudget()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is wanted."""
        message = record.getMessage()
        if message == "Invalid HTTP request received.":
            record.msg, record.levelno, record.levelname = MALFORMED_REQUEST, logging.INFO, "INFO"
            return self._wanted and self._lines.take(MALFORMED_REQUEST, self._monotonic()) is not None
        return not message.startswith(("Unsupported upgrade request", "No supported WebSocket library"))


def configure_logging(level: str, form: Literal["auto", "json", "console"]) -> None:
    """Send all log lines, ours and the libraries', to standard error in one format."""
    if form == "json" or (form == "auto" and not sys.stderr.isatty()):
        renderer: list[structlog.typing.Processor] = [_TRACEBACKS, _JSON, _visible_json]
        # There are two lines per request: writing them directly takes a quarter of the time that `logging` takes.
        structlog.configure(
            processors=[*_SHARED, *renderer, _encode],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", Stream(sys.stderr.buffer))),
            cache_logger_on_first_use=True,
        )
    else:
        renderer = [
            _visible,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *_SHARED,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=True,
        )
    _configure_libraries(level, renderer)


def _encode(_: object, __: str, line: Any) -> bytes:
    return str(line).encode("utf-8", errors="backslashreplace")


def _configure_libraries(level: str, renderer: list[structlog.typing.Processor]) -> None:
    """Format the lines of libraries, which use `logging`, the same way."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "all": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": _SHARED,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
                }
            },
            "filters": {"malformed": {"()": MalformedRequests, "level": level}},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "all"},
                "nowhere": {"class": "logging.NullHandler"},
            },
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {
                # Their lines at "info" repeat ours.
                "uvicorn.error": {"level": "WARNING", "filters": ["malformed"]},
                "httpx": {"level": "WARNING"},
                "httpcore": {"level": "WARNING"},  # it logs addresses and headers at "debug"
                "alembic": {"level": "WARNING"},
                # Its addresses hold tokens. What it warns of is in the attempt, without them.
                "apprise": {"level": "WARNING", "handlers": ["nowhere"], "propagate": False},
                "urllib3": {"level": "WARNING"},  # which Apprise uses
            },
        }
    )
