"""The boundary: one transaction per request, login by default, and every refusal answered in one form.

API answers errors as `application/problem+json` (RFC 9457) with a stable `code`; pages answer with a page.
"""

import functools
import logging
import re
import uuid
from collections.abc import Callable
from typing import Any, Literal, cast

import marshmallow
from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from gridgov import db
from gridgov.errors import Conflict, DomainError, Invalid, Unauthenticated, Unavailable
from gridgov.i18n import _
from gridgov.shapes import in_words

__all__ = ["App", "current_user", "gives", "public", "takes", "want_json"]
log = logging.getLogger("gridgov.web")
BODY_MAX_BYTES = 1_048_576  # Of a request without photos; gridgov/photos/uploads.py bounds those with.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
SANE_ID = re.compile("[A-Za-z0-9._-]{1,64}")
View = Callable[..., ResponseReturnValue]


class App(Flask):
    """Flask with a transaction around each request and login required unless a view is `@public`."""

    def dispatch_request(self) -> ResponseReturnValue:
        """Run the view inside the request's transaction: returning commits, raising rolls back."""
        view = self.view_functions.get(request.endpoint or "")
        if view is None or getattr(view, "no_transaction", False) or request.endpoint == "static":
            return super().dispatch_request()
        if not _storable(request.path):
            abort(404)
        with db.transaction():
            if not is_public(view):
                require_login()
            for check in self.extensions.get("gridgov_checks", ()):
                check(view)
            answer = super().dispatch_request()
            if not isinstance(answer, Response):
                answer = self.make_response(answer)
        return answer


    def log_exception(self, exc_info: Any) -> None:
        """Log what is answered with 500, once, without the address, which holds what people look for."""
        log.error("request failed", exc_info=exc_info)


def public(view: View) -> View:
    """Mark a view as open to anybody. Everything else needs a signed-in person."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def no_transaction(view: View) -> View:
    """Mark a view that touches no table (assets, health), so that it opens no transaction."""
    view.no_transaction = True  # type: ignore[attr-defined]
    return public(view)


def is_public(view: Any) -> bool:
    """Whether a view function was marked `@public`."""
    return bool(getattr(view, "is_public", False))


def require_login() -> None:
    """Raise Unauthenticated unless somebody is signed in."""
    if not current_user.is_authenticated:
        raise Unauthenticated(_("Please sign in first."))


def want_json() -> bool:
    """Whether the answer should be JSON: to API routes and programs with a token always, else when asked for alone."""
    if request.path.startswith("/api/") or request.headers.get("Authorization", "").startswith("Bearer"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return best in {"application/json", "application/problem+json"}


def takes(schema: type[marshmallow.Schema], *, location: str = "json") -> Callable[[View], View]:
    """Load the request's `json`, `form` or `query` through `schema` and pass the fields as keywords.

    Raises Invalid (422) with messages by field. Unknown fields are refused in JSON and forms, ignored in a query.
    """

    def wrap(view: View) -> View:
        loader = schema()

        @functools.wraps(view)
        def inner(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            unknown: Literal["raise", "exclude"] = "exclude" if location == "query" else "raise"
            return view(*args, **kwargs, **load(loader, _payload(location, loader), unknown=unknown))

        inner.takes = (schema, location)  # type: ignore[attr-defined]
        return inner

    return wrap


def gives(
    schema: type[marshmallow.Schema], status: int = 200, *, many: bool = False
) -> Callable[[View], View]:
    """Dump what the view returns through `schema`. A view may return (object, status) to answer otherwise."""

    def wrap(view: View) -> View:
        dumper = schema(many=many)

        @functools.wraps(view)
        def inner(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            result = view(*args, **kwargs)
            if isinstance(result, Response):
                return result
            found, code = cast(tuple[Any, int], result if isinstance(result, tuple) else (result, status))
            return jsonify(dumper.dump(found)), code

        inner.gives = (schema, status, many)  # type: ignore[attr-defined]
        return inner

    return wrap


def load(
    schema: marshmallow.Schema, payload: Any, *, unknown: Literal["raise", "exclude"] = "raise"
) -> dict[str, Any]:
    """The payload through a schema. Raises Invalid with messages by field, also for letters that no database keeps."""
    words = _("Please check what you entered.")
    given = payload if isinstance(payload, dict) else {}
    if not all(map(_storable, given)):
        raise Invalid(words)
    if bad := [name for name, value in given.items() if not _storable(value)]:
        raise Invalid(words, errors={name: [_("This contains signs that cannot be kept.")] for name in bad})
    try:
        return schema.load(payload, unknown=unknown)
    except marshmallow.ValidationError as error:
        raise Invalid(words, errors=in_words(error.normalized_messages())) from None


def _storable(value: Any) -> bool:
    """Whether the texts in it are such as PostgreSQL and UTF-8 can hold: no NUL, no half of a surrogate pair."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and UNSTORABLE.search(part):
            return False
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            waiting += part
    return True


def _payload(location: str, schema: marshmallow.Schema) -> Any:
    if location == "json":
        if not request.is_json:
            raise UnsupportedMediaType
        try:
            body = request.get_json(silent=True)
        except RecursionError:  # Brackets a thousand deep.
            body = None
        if body is None:
            raise Invalid(_("The body must be JSON."), code="not_json")
        return body
    source = request.args if location == "query" else request.form
    payload: dict[str, Any] = {}
    for key in source:
        if key == "csrf_token":
            continue
        field = schema.fields.get(key)
        values = source.getlist(key)
        if isinstance(field, marshmallow.fields.List | marshmallow.fields.Tuple):
            payload[key] = [value for value in values if value != ""]
        elif values[0] != "" or (isinstance(field, marshmallow.fields.String) and field.required):
            payload[key] = values[0]
    return payload


def problem(error: DomainError) -> Response:
    """The error as application/problem+json, RFC 9457, plus `code` and `errors` by field."""
    body = {
        "type": f"urn:gridgov:error:{error.code}",
        "title": error.message,
        "status": error.status,
        "code": error.code,
        "request_id": request_id(),
    }
    if error.errors:
        body["errors"] = error.errors
    body |= {
        key: value for key, value in error.details.items() if isinstance(value, str | int | float | list)
    }
    answer = jsonify(body)
    answer.status_code = error.status
    answer.mimetype = "application/problem+json"
    return answer


def answer_error(error: DomainError) -> ResponseReturnValue:
    """A refusal as JSON or as a page; a page without sign-in leads to the sign-in page and back."""
    if want_json():
        answer = problem(error)
    elif error.status == 401:
        answer = _to_login()
    else:
        answer = Response(render_template("error.html", error=error), status=error.status)
    if error.status == 401 and request.path.startswith("/api/"):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="gridgov"'
    if retry := error.details.get("retry_after_s"):
        answer.headers["Retry-After"] = str(retry)
    return answer


def _to_login() -> Response:
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    address = url_for("people.login", next=target)
    if request.headers.get("HX-Request"):
        answer = Response(status=401)
        answer.headers["HX-Redirect"] = url_for("people.login")
        return answer
    return redirect(address)  # type: ignore[return-value]


def _from_http(error: HTTPException) -> DomainError:
    """Werkzeug's own refusals in our form, in words."""
    words = {
        400: ("bad_request", _("The request could not be understood.")),
        404: ("not_found", _("There is nothing here, or it is not yours to see.")),
        405: ("method_not_allowed", _("This address does not take that kind of request.")),
        413: ("too_large", _("What was sent is too large.")),
        415: ("unsupported_type", _("This kind of content is not taken here.")),
    }
    code, message = words.get(error.code or 500, ("http_error", error.name))
    refusal = DomainError(message, code=code)
    refusal.status = error.code or 500
    return refusal


def init_app(app: Flask) -> None:
    """Register error answers, the request id and the session's end on the app."""

    @app.before_request
    def start() -> None:
        request_id()

    @app.after_request
    def finish(answer: Response) -> Response:
        answer.headers["X-Request-ID"] = request_id()
        return answer

    @app.teardown_request
    def close(_error: BaseException | None) -> None:
        db.session.remove()

    @app.errorhandler(DomainError)
    def refused(error: DomainError) -> ResponseReturnValue:
        return answer_error(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code and 300 <= error.code < 400:
            return error
        return answer_error(_from_http(error))

    @app.errorhandler(DBAPIError)
    def database_error(error: DBAPIError) -> ResponseReturnValue:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in {"40001", "40P01", "55P03"}:
            return answer_error(
                Conflict(_("Somebody else was changing this at the same time. Please try again."))
            )
        if isinstance(error, OperationalError) or state.startswith(("08", "57")):
            log.exception("the database cannot be asked")
            return answer_error(
                Unavailable(_("The database cannot be reached. Nothing was recorded; please try again soon."))
            )
        raise error

    @app.errorhandler(500)
    def crashed(_error: Exception) -> ResponseReturnValue:
        sorry = DomainError(_("Something went wrong on our side. Nothing was changed."), code="internal")
        sorry.status = 500
        return answer_error(sorry)


def request_id() -> str:
    """What this request is called in logs and answers: as the proxy named it, else a random name."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if SANE_ID.fullmatch(given) else uuid.uuid4().hex
    return g.request_id
