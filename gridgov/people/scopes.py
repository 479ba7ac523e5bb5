"""What a token may be used for: the scope that each view asks of it. Sessions are not concerned.

Without a mark, reading the API needs `read`, and nothing else is open to tokens. `@scope("report")` or
`@scope("act")` opens a view to tokens with that scope; `@no_tokens` closes one that only a person at a
browser may use.
"""

from typing import Any

from flask import g, request

from gridgov.errors import NotPermitted
from gridgov.i18n import _
from gridgov.people.models import Scope
from gridgov.web import View

CLOSED = ""


def scope(name: str) -> Any:
    """Open a view to tokens with this scope. Put it anywhere among the view's decorators."""
    needed = Scope(name)

    def mark(view: View) -> View:
        view.scope = needed  # type: ignore[attr-defined]
        return view

    return mark


def no_tokens(view: View) -> View:
    """Close a view to every token: making tokens with tokens, for one."""
    view.scope = CLOSED  # type: ignore[attr-defined]
    return view


def check(view: View) -> None:
    """Raise NotPermitted when the request came with a token that this view is not open to. Runs before every
    view.
    """
    token = g.get("api_token")
    if token is None:
        return
    needed = getattr(view, "scope", None)
    if needed is None:
        needed = (
            Scope.READ if request.path.startswith("/api/") and request.method in {"GET", "HEAD"} else CLOSED
        )
    if needed == CLOSED:
        raise NotPermitted(_("This is not open to tokens; sign in."), code="scope")
    if needed not in token.scopes:
        raise NotPermitted(
            _("The token lacks the scope %(scope)s.", scope=needed), code="scope", scope=str(needed)
        )
