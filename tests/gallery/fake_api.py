"""A stand-in for the API that the scripts talk to: it shows what arrives, and can be told to fail."""

from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from flask_wtf.csrf import generate_csrf

TRIANGLE = [[[110.55, 26.70], [110.62, 26.70], [110.60, 26.76], [110.55, 26.70]]]
TREE = {
    "430581": [("430581101", "湾头桥镇"), ("430581102", "文坪镇")],
    "430581101": [("430581101222", "泻油村"), ("430581101223", "六里村")],
    "430581101222": [("430581101222003", "泻油村三组")],
}


class FakeApi:
    """Photos and reports as received, by id; `hits` counts requests; `fail` is answered instead, in turn.

    In `fail`, a number is a status; "lost" does the work and then answers 502, as when the answer gets lost.
    Reports whose text is in `never` are refused with 403 each time.
    """

    def __init__(self) -> None:
        self.photos: dict[str, bytes] = {}
        self.issues: dict[str, dict[str, Any]] = {}
        self.hits = {"photos": 0, "issues": 0}
        self.fail: dict[str, list[Any]] = {"photos": [], "issues": []}
        self.never: set[str] = set()

    def register(self, app: Flask) -> None:
        """Put the routes on the app."""
        bp = Blueprint("fake", __name__, url_prefix="/api/v1")
        bp.add_url_rule("/csrf", view_func=lambda: jsonify(token=generate_csrf()), endpoint="csrf")
        bp.add_url_rule("/photos", view_func=self.take, methods=["POST"], endpoint="photos")
        bp.add_url_rule("/issues", view_func=self.report, methods=["POST"], endpoint="issues")
        bp.add_url_rule("/grids/locate", view_func=locate, endpoint="locate")
        bp.add_url_rule("/grids/<code>/children", view_func=children, endpoint="children")
        bp.add_url_rule("/grids/<code>/boundary", view_func=boundary, endpoint="boundary")
        app.register_blueprint(bp)

    def take(self) -> tuple[Response, int]:
        """Keep a photo under the id the phone gave it."""
        return self._do("photos", request.form["id"], lambda: request.files["photo"].read())

    def report(self) -> tuple[Response, int]:
        """Keep a report under the id the phone gave it."""
        body = request.get_json()
        if body["text"] in self.never:
            return problem(403, "not_permitted", "没有权限。")
        return self._do("issues", body["id"], lambda: body)

    def _do(self, kind: str, key: str, read: Any) -> tuple[Response, int]:
        self.hits[kind] += 1
        failure = self.fail[kind].pop(0) if self.fail[kind] else None
        if isinstance(failure, int):
            errors = {"text": ["请写清楚地点。"]} if failure == 422 else None
            return problem(failure, "refused", "没有接受。", errors)
        kept: dict[str, Any] = getattr(self, kind)
        status = 200 if key in kept else 201
        kept.setdefault(key, read())
        return problem(502, "lost", "丢失") if failure == "lost" else (jsonify(id=key), status)


def problem(status: int, code: str, title: str, errors: Any = None) -> tuple[Response, int]:
    """A refusal as the real API words it."""
    answer = jsonify(title=title, code=code, status=status, **({"errors": errors} if errors else {}))
    answer.mimetype = "application/problem+json"
    return answer, status


def locate() -> Any:
    """Everything north of 26.5 degrees lies in the third group of 泻油村."""
    if float(request.args["lat"]) < 26.5:
        return problem(404, "outside_city", "不在本市。")
    return jsonify(
        code="430581101222003", name="泻油村三组", path=["武冈市", "湾头桥镇", "泻油村", "泻油村三组"]
    )


def children(code: str) -> Response:
    """The grids under one grid."""
    return jsonify(items=[{"code": c, "short_name": name, "name": name} for c, name in TREE.get(code, [])])


def boundary(code: str) -> Response:
    """A triangle for every grid."""
    geometry = {"type": "Polygon", "coordinates": TRIANGLE}
    return jsonify(type="Feature", id=code, geometry=geometry, properties={"code": code})
