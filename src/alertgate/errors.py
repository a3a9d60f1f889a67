r"""Everything that alertgate raises on purpose.

    AlertgateError
     ├── ConfigError            the settings are invalid; nothing was started
     │    └── PolicyInvalid         alertgate.toml is
     ├── EnvironmentUnusable    a variable of the environment keeps HTTP calls from working
     ├── RequestError           the caller must change the request
     │    ├── Unauthenticated       no credential, or a wrong one
     │    ├── Forbidden             the credential is right, but doesn't allow this
     │    ├── NotFound              no such resource
     │    ├── Conflict              not possible in the current state
     │    ├── BodyTooLarge          over MAX_BODY_BYTES
     │    ├── BodyTooSlow           the body didn't arrive in time
     │    ├── ClientGone            the caller disconnected before the body was complete
     │    ├── WrongContentType      this path doesn't accept such a body
     │    ├── RateLimited           too many requests
     │    └── Rejected              the body was read, but isn't a valid alert
     │         ├── Malformed            not valid JSON
     │         └── Invalid              valid JSON, but fields are missing or wrong
     └── Unavailable            the service can't do it now
          ├── SwitchedOff           a setting that the endpoint needs isn't set
          └── StoreError            the database
               ├── StoreRefused         it works, but can't hold what was to be stored
               ├── StoreUnavailable     it doesn't answer, is full, or is read-only
               │    └── StoreTooSlow         it didn't answer in time; the write may still be committed
               ├── StoreInUse           another process serves this SQLite file
               ├── StoreMissing         a command found no database of alertgate where it looked
               ├── StoreOutdated        a command found one that an older alertgate has left
               └── StoreTooNew          written by a newer alertgate

The message says what happened, what it means and what to do, and contains no secret.
"""

from dataclasses import dataclass


def first_line(error: object) -> str:
    """Return the first line of another library's error, or the name of its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class AlertgateError(Exception):
    """The base class of these errors."""


class ConfigError(AlertgateError):
    """The settings are invalid. `problems` has one readable line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PolicyInvalid(ConfigError):
    """The policy's file is invalid; a policy that was in force stays so. `file` says which one that is."""

    def __init__(self, problems: list[str], file: object = "the policy's file (POLICY_FILE)") -> None:
        super().__init__(problems)
        self.file = str(file)


class EnvironmentUnusable(AlertgateError):
    """A variable of the environment keeps HTTP calls from working: of a proxy, or of certificates."""


class RequestError(AlertgateError):
    """The caller must change the request before trying again."""


class Unauthenticated(RequestError):
    """No credential, or a wrong one. `scheme` is for the WWW-Authenticate header of the response."""

    def __init__(self, detail: str, *, scheme: str) -> None:
        super().__init__(detail)
        self.scheme = scheme


class Forbidden(RequestError):
    """The credential is right, but doesn't allow this, or not from there."""


class NotFound(RequestError):
    """There is no such resource."""


class Conflict(RequestError):
    """Not possible in the current state; nothing was changed."""


class BodyTooLarge(RequestError):
    """The body is over MAX_BODY_BYTES."""


class BodyTooSlow(RequestError):
    """The body didn't arrive in time."""


class ClientGone(RequestError):
    """The caller disconnected before the body was complete; nothing was stored."""


class WrongContentType(RequestError):
    """This path doesn't accept bodies of that type."""


class RateLimited(RequestError):
    """Too many requests. `retry_after` is in whole seconds."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooManyUnfinished(RateLimited):
    """Too many bodies were begun and not finished; this one was given up."""


class TooMuchStored(RateLimited):
    """A webhook has stored so much within an hour that it may store no more."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem with a body. `field` is a dotted path, or empty for the body as a whole."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Rejected(RequestError):
    """The body was read, but isn't a valid alert."""

    def __init__(self, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class Malformed(Rejected):
    """The body isn't valid JSON."""


class Invalid(Rejected):
    """The body is valid JSON, but fields are missing or wrong."""


class Unavailable(AlertgateError):
    """The service can't do it now. `retry_after` is in whole seconds; None when waiting won't help."""

    retry_after: int | None = None


class SwitchedOff(Unavailable):
    """A setting that the endpoint needs isn't set."""


class StoreError(Unavailable):
    """The database can't do what was asked."""


class StoreUnavailable(StoreError):
    """The database doesn't answer, is full, is locked, or is read-only. Nothing was stored.

    `cause` says why in a few words that anybody may read, or is None where that isn't known.
    """

    retry_after = 5

    def __init__(self, detail: str, *, cause: str | None = None) -> None:
        super().__init__(detail)
        self.cause = cause


class StoreRefused(StoreError):
    """The database works, but can't hold what was to be stored: a defect in alertgate. Nothing of it was stored."""


class StoreTooSlow(StoreUnavailable):
    """The database didn't answer in time, or the connection was lost in a commit. The write may still be committed."""


class StoreInUse(StoreError):
    """Another process serves this SQLite file."""


class StoreMissing(StoreError):
    """There is no database of alertgate where a command looked that makes none."""


class StoreOutdated(StoreError):
    """The database has the schema of an older alertgate, and the command doesn't migrate it."""


class StoreTooNew(StoreError):
    """The database was written by a newer alertgate."""
