"""Every error that Stagedoor raises on purpose.

    StagedoorError
    ├── OperatorError            the operator must act; the process ends with exit code 1
    │   └── CallerMistake        a wrong flag, setting or file; exit code 2
    ├── StorageUnavailable       the database did not take or give what was asked; try again
    └── Problem                  an answer to an API caller (RFC 9457), one class per status
        ├── BadRequest           400
        ├── Unauthenticated      401
        ├── Forbidden            403
        ├── NotFound             404, also for what the caller may not know of
        ├── NotAcceptable        406
        ├── RequestTimeout       408
        ├── Conflict             409
        ├── PreconditionFailed   412
        ├── TooLarge             413
        ├── UnsupportedMediaType 415
        ├── Invalid              422
        ├── PreconditionRequired 428
        ├── TooMany              429
        ├── HeadTooLarge         431
        ├── MediaServerFailed    502
        └── Unavailable          503

Messages are sentences for a person and never carry internals or secrets.
"""

from __future__ import annotations

from typing import Any, ClassVar


class StagedoorError(Exception):
    """The root: catching it catches everything that Stagedoor raises on purpose."""


class OperatorError(StagedoorError):
    """Something on this machine keeps the product from running; the message says what to do."""

    exit_code: ClassVar[int] = 1


class CallerMistake(OperatorError):
    """A flag, a setting or a file that the operator gave is wrong."""

    exit_code: ClassVar[int] = 2


class StorageUnavailable(StagedoorError):
    """The database could not be reached, written or read; nothing was changed and a retry may succeed.

    Args:
        sentence: What is the matter, for a person.
        lasting: An operator has to act first: waiting alone does not help.
    """

    def __init__(self, sentence: str, *, lasting: bool = False) -> None:
        super().__init__(sentence)
        self.lasting = lasting


class Problem(StagedoorError):
    """An answer to an API caller.

    Args:
        detail: A sentence that the caller can act on.
        code: A stable identifier, `snake_case`; the class's default when not given.
        extra: Further members of the problem document, such as `errors` or `limit`.
        headers: Response headers that belong to the answer, such as `Retry-After`.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.extra = extra or {}
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """The problem document of RFC 9457."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }


class BadRequest(Problem):
    status = 400
    title = "Bad request"
    default_code = "bad_request"


class Unauthenticated(Problem):
    status = 401
    title = "Not authenticated"
    default_code = "unauthenticated"


class Forbidden(Problem):
    status = 403
    title = "Not allowed"
    default_code = "forbidden"


class NotFound(Problem):
    status = 404
    title = "Not found"
    default_code = "not_found"


class NotAcceptable(Problem):
    status = 406
    title = "Not acceptable"
    default_code = "not_acceptable"


class RequestTimeout(Problem):
    status = 408
    title = "Request timeout"
    default_code = "request_timeout"


class Conflict(Problem):
    status = 409
    title = "Conflict"
    default_code = "conflict"


class PreconditionFailed(Problem):
    status = 412
    title = "Precondition failed"
    default_code = "precondition_failed"


class TooLarge(Problem):
    status = 413
    title = "Too large"
    default_code = "too_large"


class UnsupportedMediaType(Problem):
    status = 415
    title = "Unsupported media type"
    default_code = "unsupported_media_type"


class Invalid(Problem):
    status = 422
    title = "Invalid input"
    default_code = "invalid"


class PreconditionRequired(Problem):
    status = 428
    title = "Precondition required"
    default_code = "precondition_required"


class TooMany(Problem):
    status = 429
    title = "Too many requests"
    default_code = "too_many_requests"


class HeadTooLarge(Problem):
    status = 431
    title = "Request head too large"
    default_code = "head_too_large"


class MediaServerFailed(Problem):
    status = 502
    title = "LiveKit did not do what was asked"
    default_code = "media_server_failed"


class RangeNotSatisfiable(Problem):
    status = 416
    title = "No such range"
    default_code = "range_not_satisfiable"


class Unavailable(Problem):
    status = 503
    title = "Not available now"
    default_code = "unavailable"
