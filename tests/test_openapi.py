"""The description of the API: valid, complete, true of real answers, and not stale."""

import json
import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gridgov import openapi
from tests.factories import photo_of, picture

# What the API answers without a sign-in.
OPEN = {
    "/api/v1/csrf", "/api/v1/public/suspended", "/api/v1/anonymous-reports", "/api/v1/anonymous-reports/look",
    "/api/v1/anonymous-reports/act",
}  # fmt: skip


@pytest.fixture
def found(app):
    """The document as the application serves it."""
    return json.loads(openapi.text(app))


@pytest.fixture
def fits(found):
    """Checks an answer's body against what the document says of it."""

    def fits(answer, method, path):
        said = found["paths"][path][method]["responses"]
        response = said.get(str(answer.status_code), said["default"])
        schema = response["content"][answer.mimetype]["schema"]
        Draft202012Validator({**schema, "components": found["components"]}).validate(
            answer.get_json(force=True)
        )

    return fits


def test_the_document_is_valid_openapi_3_1(found):
    assert found["openapi"].startswith("3.1")
    validate(found)


def test_docs_openapi_json_is_up_to_date(app):
    fresh = openapi.text(app)
    assert openapi.FILE.read_text("utf-8") == fresh, "run `python -m gridgov openapi write`"


def test_every_route_of_the_api_is_described(app, found):
    described = {(m.upper(), path) for path, ops in found["paths"].items() for m in ops}
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_every_operation_says_what_it_does_who_may_ask_and_how_it_refuses(found):
    seen = set()
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["operationId"] not in seen, (method, path)
            seen.add(operation["operationId"])
            assert "default" in operation["responses"]
            assert any(code.startswith("2") for code in operation["responses"])
            open_to_all = operation["security"] == []
            assert open_to_all == (path in OPEN), f"{path} is open to anybody"
            assert open_to_all or "401" in operation["responses"]


def test_scopes_of_tokens_are_told(found):
    assert found["paths"]["/api/v1/issues"]["post"]["security"][0] == {"bearer": ["report"]}
    assert found["paths"]["/api/v1/issues"]["get"]["security"][0] == {"bearer": ["read"]}
    assert found["paths"]["/api/v1/issues/{issue_id}/events"]["post"]["security"][0] == {"bearer": ["act"]}
    assert found["paths"]["/api/v1/tokens"]["post"]["security"] == [{"cookie": []}]


def test_the_body_of_a_move_comes_from_the_workflow(found):
    act = found["components"]["schemas"]["Act"]
    assert {"name", "generation", "reason", "proof", "satisfaction"} <= set(act["properties"])
    assert act["required"] == ["name"] and act["additionalProperties"] is False


def test_answers_may_grow_and_requests_may_not_hold_unknown_fields(found):
    schemas = found["components"]["schemas"]
    assert schemas["Report"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Issue"]


def test_a_photo_is_described_as_a_multipart_upload(found):
    body = found["paths"]["/api/v1/photos"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["properties"]["photo"]["format"] == "binary" and "photo" in body["required"]


def test_real_answers_are_as_described(client, city, fits):
    issue = city.report()
    one = f"/api/v1/issues/{issue.id}"
    for url, path in [
        ("/api/v1/me", "/api/v1/me"),
        ("/api/v1/csrf", "/api/v1/csrf"),
        ("/api/v1/categories", "/api/v1/categories"),
        ("/api/v1/departments", "/api/v1/departments"),
        ("/api/v1/grids?parent=430581", "/api/v1/grids"),
        ("/api/v1/grids/430581101", "/api/v1/grids/{code}"),
        ("/api/v1/grids/430581101/children", "/api/v1/grids/{code}/children"),
        ("/api/v1/grids/430581101/boundary", "/api/v1/grids/{code}/boundary"),
        ("/api/v1/grids/locate?lat=26.52&lon=110.42", "/api/v1/grids/locate"),
        ("/api/v1/issues", "/api/v1/issues"),
        ("/api/v1/notices", "/api/v1/notices"),
        (one, "/api/v1/issues/{issue_id}"),
        (f"{one}/transitions", "/api/v1/issues/{issue_id}/transitions"),
        (f"{one}/events", "/api/v1/issues/{issue_id}/events"),
    ]:
        answer = client.get(url, city.micro_chief)
        assert answer.status_code == 200, url
        fits(answer, "get", path)


def test_real_creates_and_their_repetition_are_as_described(client, city, fits):
    body = {
        "id": "0199d000-0000-7000-8000-000000000001",
        "category": "0203",
        "text": "三轮车载人",
        "grid_code": "430581101222001",
    }
    for status in (201, 200):
        answer = client.send("/api/v1/issues", body, city.worker)
        assert answer.status_code == status
        fits(answer, "post", "/api/v1/issues")
    file = {"photo": (picture(), "a.jpg")}
    headers = client.bearer(city.worker)
    answer = client.app.test_client().post("/api/v1/photos", data=file, headers=headers)
    assert answer.status_code == 201
    fits(answer, "post", "/api/v1/photos")
    seen = client.get(f"/api/v1/photos/{photo_of(city.worker)}", city.worker)
    fits(seen, "get", "/api/v1/photos/{photo_id}")


def test_real_refusals_are_problems_as_described(client, city, fits):
    issue = city.report()
    for answer, method, path in [
        (client.get("/api/v1/issues"), "get", "/api/v1/issues"),
        (client.get("/api/v1/issues?sort=nonsense", city.worker), "get", "/api/v1/issues"),
        (client.get(f"/api/v1/issues/{issue.id}", city.foreign_worker), "get", "/api/v1/issues/{issue_id}"),
        (client.send("/api/v1/issues", {"category": "99"}, city.worker), "post", "/api/v1/issues"),
        (
            client.send(f"/api/v1/issues/{issue.id}/events", {"name": "accept"}, city.resident),
            "post",
            "/api/v1/issues/{issue_id}/events",
        ),
    ]:
        assert answer.mimetype == "application/problem+json" and answer.status_code >= 400
        fits(answer, method, path)


def test_the_document_needs_a_sign_in_and_answers_304_when_unchanged(client, city):
    assert client.get("/api/v1/openapi.json").status_code == 401
    answer = client.get("/api/v1/openapi.json", city.worker)
    assert answer.get_json()["openapi"].startswith("3.1")
    again = client.app.test_client().get(
        "/api/v1/openapi.json",
        headers={**client.bearer(city.worker), "If-None-Match": answer.headers["ETag"]},
    )
    assert again.status_code == 304


def test_the_overview_lists_every_operation(client, city, found):
    page = client.page("/api", city.worker)
    words = page.get_data(as_text=True)
    assert page.status_code == 200
    assert all(path in words for path in found["paths"])
    assert client.page("/api").status_code == 302
