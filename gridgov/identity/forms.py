"""Pages for everybody: reporting without a name, and following that up with its code.

The code is shown once. Whoever enters it has the report open in this browser for half an hour, and may do what a reporter may.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session as cookie,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from gridgov.db import session, utcnow
from gridgov.errors import Conflict, DomainError, IllegalTransition, Invalid, NotFound, TooMany
from gridgov.i18n import _
from gridgov.identity import anonymous, codes
from gridgov.identity.schemas import AnonymousReportSchema, FollowUpCodeSchema
from gridgov.issues import actions, drafts, flow, forms, queries, report_form, words
from gridgov.issues.models import Issue
from gridgov.people import limits
from gridgov.people.csrf import redraw
from gridgov.people.pages import read
from gridgov.photos import actions as photos, settings, uploads
from gridgov.photos.images import PhotoRefused, PhotoTooLarge
from gridgov.web import public

bp = Blueprint("anonymous", __name__, template_folder="templates")
uploads.expected |= {"anonymous.send": actions.MAX_PHOTOS, "anonymous.act": actions.MAX_PHOTOS}
OPEN_FOR = timedelta(minutes=30)
FOLLOWED = "followed"


@bp.record_once
def names(state: BlueprintSetupState) -> None:
    """Give the template the addresses of a followed report's photos."""
    state.app.jinja_env.globals.update(followed_photos=followed_photos)


@bp.after_request
def not_kept(answer: Response) -> Response:
    """Nothing here is for a cache, nor for the memory of a shared computer."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


# Reporting ------------------------------------------------------------------------------------------------------------


@bp.get("/anonymous")
@public
def form() -> ResponseReturnValue:
    """The form for a report without a name."""
    return _form({"ticket": codes.ticket()})


@bp.post("/anonymous")
@public
@redraw(lambda: _form(request.form, notice=_out_of_date()))
def send() -> ResponseReturnValue:
    """Take a report in and show its code."""
    try:
        given = read(AnonymousReportSchema)
        given["text"] = given["text"].replace("\r\n", "\n")
        limits.hit("anonymous_rate", request.remote_addr or "")
        with session.begin_nested():  # A refusal half-way undoes the report and its photos.
            issue, code = anonymous.report(photos=lambda: _take("photos"), **given)
    except Invalid as error:
        return _form(request.form, status=422, errors=drafts.plain(error.errors), notice=_again())
    except TooMany as error:
        answer = _form(request.form, status=429, notice=error.message)
        answer.headers["Retry-After"] = str(error.details["retry_after_s"])
        return answer
    except DomainError as error:  # A photo that is none.
        return _form(request.form, status=error.status, errors={"photos": [error.message]}, notice=_again())
    return render_template(
        "identity/receipt.html", issue=issue, code=code, unit=queries.rows([issue])[0].unit
    )


def _take(field: str) -> list[UUID]:
    """The photos of a form, without an owner. Raises the photo's own refusal."""
    files = uploads.received(field)
    if len(files) > actions.MAX_PHOTOS:
        raise Invalid(_("At most %(n)s photos.", n=actions.MAX_PHOTOS), field=field)
    found = []
    for file in files:
        limits.hit("upload_rate", request.remote_addr or "")
        found.append(photos.take(file.stream, actor=None).id)
    return found


def _form(
    values: Any, *, status: int = 200, errors: dict[str, Any] | None = None, notice: str = ""
) -> Response:
    context = report_form.for_nobody()
    page = render_template(
        "identity/anonymous.html", values=values, errors=errors or {}, notice=notice, **context
    )
    return make_response(page, status)


def _again() -> str:
    """Photos of nobody are not kept for a second try."""
    return _("Photos have to be chosen once more; they could not be kept.") if _with_files() else ""


def _with_files() -> bool:
    return any(file.filename for file in request.files.values())


def _out_of_date() -> str:
    return (
        f"{_('The page was out of date, so nothing was sent yet. Please send it again.')} {_again()}".rstrip()
    )


# Following up ---------------------------------------------------------------------------------------------------------


@bp.get("/follow-up")
@public
def enter() -> ResponseReturnValue:
    """Where the code is entered."""
    return _enter()


@bp.post("/follow-up")
@public
@redraw(lambda: _enter(notice=_out_of_date()))
def check() -> ResponseReturnValue:
    """Open the report of a code in this browser. A wrong code, and one from an address shut out, are answered alike."""
    address = request.remote_addr or ""
    try:
        given = read(FollowUpCodeSchema)
        limits.hit("code_rate", address)
    except Invalid as error:
        return _enter(422, drafts.plain(error.errors))
    except TooMany as error:
        answer = _enter(429, notice=error.message)
        answer.headers["Retry-After"] = str(error.details["retry_after_s"])
        return answer
    issue = anonymous.find(given["code"], address=address)
    if issue is None:
        return _enter(
            422, {"code": [_("No report has this code. After many wrong ones, please wait an hour.")]}
        )
    _keep_open(issue.id)
    return redirect(url_for("anonymous.followed"), 303)


@bp.post("/follow-up/leave")
@public
def leave() -> ResponseReturnValue:
    """Close it in this browser."""
    cookie.pop(FOLLOWED, None)
    return redirect(url_for("anonymous.enter"), 303)


@bp.get("/follow-up/report")
@public
def followed() -> ResponseReturnValue:
    """Where it stands, and what its reporter may do."""
    issue = _open_issue()
    if issue is None:
        return redirect(url_for("anonymous.enter"), 303)
    return _page(issue, opened=request.args.get("move"))


@bp.post("/follow-up/report")
@public
@redraw(lambda: _act_again())
def act() -> ResponseReturnValue:
    """Make a move as the reporter."""
    issue = _open_issue()
    if issue is None:
        return redirect(url_for("anonymous.enter"), 303)
    name = request.form.get("name", "")
    try:
        with session.begin_nested():
            name, data, expected = forms.read_move(None, _take)
            anonymous.act(issue, name, data=data, expected=expected)
    except Invalid as error:
        errors = drafts.plain(error.errors)
        return _page(
            issue, status=422, opened=name, errors=errors, notice=_again() if errors else error.message
        )
    except (Conflict, IllegalTransition) as error:
        return _page(issue, status=error.status, notice=error.message)
    except (PhotoRefused, PhotoTooLarge, TooMany) as error:  # Of a photo: the words are shown again.
        return _page(issue, status=error.status, opened=name, notice=f"{error.message} {_again()}".rstrip())
    flash(_("Done: %(step)s.", step=words.happened(name)), "success")
    return redirect(url_for("anonymous.followed"), 303)


@bp.get("/follow-up/photos/<uuid:photo_id>")
@public
def photo(photo_id: UUID) -> ResponseReturnValue:
    """A photo of the report that is open here, or of its result; `?thumb=1` the small one."""
    issue = _open_issue()
    found = anonymous.photo(issue, photo_id) if issue else None
    if found is None:
        raise NotFound(_("There is no such photo, or it is not yours to see."))
    key = found.thumb_key if request.args.get("thumb") else found.key
    answer = Response(settings.current().store.get(key), content_type=found.content_type)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


def _act_again() -> ResponseReturnValue:
    issue = _open_issue()
    return (
        _page(issue, opened=request.form.get("name"), notice=_out_of_date())
        if issue
        else _enter(notice=_out_of_date())
    )


def _enter(status: int = 200, errors: dict[str, Any] | None = None, notice: str = "") -> Response:
    return make_response(
        render_template("identity/follow_up.html", errors=errors or {}, notice=notice), status
    )


def _keep_open(issue_id: UUID) -> None:
    """In the signed cookie, which the browser forgets when it closes."""
    cookie[FOLLOWED] = [str(issue_id), int((utcnow() + OPEN_FOR).timestamp())]


def _open_issue() -> Issue | None:
    """The report whose code was entered here within the last half hour. Looking at it keeps it open."""
    issue_id, until = cookie.get(FOLLOWED) or ["", 0]
    if until < utcnow().timestamp():
        return None
    _keep_open(UUID(issue_id))
    return anonymous.followed(UUID(issue_id))


def _page(
    issue: Issue,
    *,
    status: int = 200,
    opened: str | None = None,
    errors: dict[str, Any] | None = None,
    notice: str = "",
) -> Response:
    moves = anonymous.moves(issue)
    still = opened if any(move.name == opened for move in moves) else None
    texts = {field.name for field in flow.current().fields.values() if field.kind != "photos"}
    here = url_for("anonymous.followed")
    page = render_template(
        "identity/followed.html", story=queries.story(None, issue), outcome=anonymous.outcome(issue), moves=moves,
        opened=still, errors=errors or {},
        values={key: request.form[key] for key in request.form if key in texts}, viewer={"id": None}, now=utcnow(),
        post_url=url_for("anonymous.act"), issue_url=here, notice=notice,
        move_url=lambda name: url_for("anonymous.followed", move=name),
    )  # fmt: skip
    return make_response(page, status)


def followed_photos(ids: list[UUID], caption: str) -> list[dict[str, Any]]:
    """Photos as the macro photo_grid takes them, at addresses for whoever has the code."""
    return [
        {"url": url_for("anonymous.photo", photo_id=each), "thumb_url": url_for("anonymous.photo", photo_id=each, thumb=1),
         "alt": f"{caption} {n}", "caption": caption}
        for n, each in enumerate(ids, 1)
    ]  # fmt: skip
