r"""Everything that alertgate raises on purpose.

    AlertgateError
     ├── ConfigError            the settings can't be used; nothing was started
     ├── RequestError           the caller must change something
     │    ├── Unauthenticated       no credential, or a wrong one
     │    ├── NotFound              no such thing
     │    ├── Conflict              not possible as it stands now
     │    ├── BodyTooLarge          over MAX_BODY_BYTES
     │    ├── BodyTooSlow           the body didn't arrive in time
     │    ├── ClientGone            the caller left before the body was whole
     │    ├── WrongContentType      a body that this path doesn't take
     │    ├── RateLimited           too many requests from there
     │    └── Rejected              the body was read and isn't an alert
     │         ├── Malformed            not JSON at all
     │         └── Invalid              JSON, with fields missing or wrong
     └── Unavailable            the service can't do it now; try again
          ├── SwitchedOff           a setting that this needs isn't set
          └── StoreError            the database
               ├── StoreUnavailable     it doesn't answer, is full, or is read-only
               │    └── StoreTooSlow         it didn't answer in time, and may yet do what was asked
               ├── StoreInUse           another process serves this SQLite file
               └── StoreTooNew          written by a newer alertgate

The message says what happened, what it means and what to do, and holds no secret.
"""

from dataclasses import dataclass


class AlertgateError(Exception):
    """The root of the tree."""


class ConfigError(AlertgateError):
    """The settings can't be used. `problems` holds one readable line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RequestError(AlertgateError):
    """The caller must change something before trying again."""


class Unauthenticated(RequestError):
    """No credential, or a wrong one. `scheme` is what the answer's WWW-Authenticate names."""

    def __init__(self, detail: str, *, scheme: str) -> None:
        super().__init__(detail)
        self.scheme = scheme


class NotFound(RequestError):
    """No such thing."""


class Conflict(RequestError):
    """It isn't possible as it stands now; nothing was changed."""


class BodyTooLarge(RequestError):
    """The body is over MAX_BODY_BYTES."""


class BodyTooSlow(RequestError):
    """The body didn't arrive in time."""


class ClientGone(RequestError):
    """The caller left before the body was whole; nothing was stored."""


class WrongContentType(RequestError):
    """This path doesn't take bodies of that type."""


class RateLimited(RequestError):
    """Too many requests. `retry_after` is in whole seconds."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a body. `field` is a dotted path; empty when it is the body as a whole."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Rejected(RequestError):
    """The body was read and isn't an alert."""

    def __init__(self, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class Malformed(Rejected):
    """The body isn't JSON at all."""


class Invalid(Rejected):
    """The body is JSON, with fields missing or wrong."""


class Unavailable(AlertgateError):
    """The service can't do it now. `retry_after` is in whole seconds; None when waiting won't help."""

    retry_after: int | None = None


class SwitchedOff(Unavailable):
    """A setting that this needs isn't set."""


class StoreError(Unavailable):
    """The database can't do what was asked."""


class StoreUnavailable(StoreError):
    """The database doesn't answer, is full, is locked, or is read-only. Nothing was stored."""

    retry_after = 5


class StoreTooSlow(StoreUnavailable):
    """The database didn't answer in time. What was asked may still be done."""


class StoreInUse(StoreError):
    """Another process serves this SQLite file."""


class StoreTooNew(StoreError):
    """The database was written by a newer alertgate."""
