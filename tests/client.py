"""A test client that acts as any person: by a bearer token for the API, by a signed-in session with CSRF for pages."""

from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gridgov import db
from gridgov.people import sessions, sign_in, tokens
from gridgov.people.models import Person


class Client:
    """Requests as somebody. `get`, `send` and `delete` use a token; `page` and `form` a session, as a browser does."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._tokens: dict[UUID, str] = {}
        self._browsers: dict[UUID | None, FlaskClient] = {}
        self._csrf: dict[UUID | None, str] = {}

    def get(self, url: str, person: Person | None = None, **more: Any) -> TestResponse:
        """GET with a bearer token."""
        return self._call("GET", url, person, **more)

    def send(
        self, url: str, body: Any, person: Person | None = None, *, method: str = "POST", **more: Any
    ) -> TestResponse:
        """POST (or another method) JSON with a bearer token."""
        return self._call(method, url, person, json=body, **more)

    def delete(self, url: str, person: Person | None = None) -> TestResponse:
        """DELETE with a bearer token."""
        return self._call("DELETE", url, person)

    def _call(self, method: str, url: str, person: Person | None, **more: Any) -> TestResponse:
        headers = self.bearer(person)
        db.session.commit()  # A refused request rolls back: what the test made before it must not go with it.
        return self.app.test_client().open(url, method=method, headers=headers, **more)

    def page(self, url: str, person: Person | None = None, **more: Any) -> TestResponse:
        """GET as a signed-in browser."""
        browser = self.browser(person)
        db.session.commit()
        return browser.get(url, **more)

    def form(self, url: str, data: dict[str, Any], person: Person | None = None, **more: Any) -> TestResponse:
        """POST a form as a signed-in browser, with its CSRF token."""
        browser = self.browser(person)
        db.session.commit()
        key = person.id if person else None
        if key not in self._csrf:
            self._csrf[key] = browser.get("/api/v1/csrf").get_json()["token"]
        return browser.post(url, data={**data, "csrf_token": self._csrf[key]}, **more)

    def browser(self, person: Person | None) -> FlaskClient:
        """The plain flask client of somebody's browser, signed in."""
        key = person.id if person else None
        if key not in self._browsers:
            browser = self.app.test_client()
            if person is not None:
                config = self.app.config["GRIDGOV"]
                token = sign_in.open_session(
                    person, client=sign_in.Client(ip="127.0.0.1", agent="test"), config=config
                )
                db.session.commit()  # Else the first refusal, or flask's own clean-up, takes the session back.
                with browser.session_transaction() as cookie:
                    cookie[sessions.TOKEN] = token
                    cookie.permanent = True
            self._browsers[key] = browser
        return self._browsers[key]

    def bearer(self, person: Person | None) -> dict[str, str]:
        """The headers of a request as somebody, with a token that is made when there is none yet."""
        if person is None:
            return {}
        if person.id not in self._tokens:
            _row, raw = tokens.create("test", ["read", "report", "act"], actor=person)
            db.session.commit()
            self._tokens[person.id] = raw
        return {"Authorization": f"Bearer {self._tokens[person.id]}"}
