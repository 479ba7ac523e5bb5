"""The OpenAPI 3.1 document of the API, out of the code itself: routes, schemas, docstrings, scopes.

A view says what it takes and gives through the decorators of `web` and `people.scopes`; the refusals beyond the usual
ones stand in its docstring as "Codes of refusal: …" with their statuses in brackets, a second good status as "Answers
200 …". `takes_file` names the part of an upload, `gives_type` another media type than JSON.
"""

import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

PREFIX = "/api/v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
JSON, FORM, PROBLEM = "application/json", "multipart/form-data", "application/problem+json"
TOKEN_SCOPES = {"read", "report", "act"}
INTRODUCTION = """\
Grid governance as JSON: report a problem, list and read issues, make every move of the workflow.

**Who.** A bearer token (made under “Tokens”, hashed, scoped, expiring, revocable) or the cookie of a signed-in browser.
With the cookie every unsafe request brings the token of `GET /api/v1/csrf` as `X-CSRFToken`. A token does at most what
its owner's posts allow at the moment it is used; what its owner may not see is answered with 404.

**Errors** are `application/problem+json` (RFC 9457) with a stable `code`, and `errors` by field where input is at fault.

**Pages** go on with the `next` of the page before as `cursor`; it is null on the last.

**Sending twice.** Creates take an `id` (UUID) minted by the sender; sent again it gives the first one, with 200."""
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "A refusal. Nothing was changed. `code` is stable and meant for programs, `title` for people.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {"type": "object", "description": "messages by field", "additionalProperties": True},
    },
}
Operation = dict[str, Any]


def document(app: Flask) -> dict[str, Any]:
    """The whole description, built once for an application."""
    if "gridgov_openapi" not in app.extensions:
        app.extensions["gridgov_openapi"] = _build(app)
    return app.extensions["gridgov_openapi"]


def _build(app: Flask) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        "gridgov", "1", "3.1.0", plugins=[plugin], info={"description": INTRODUCTION}, servers=[{"url": "/"}]
    )
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    cookie = app.config["SESSION_COOKIE_NAME"].removeprefix("__Host-")
    spec.components.security_scheme("cookie", {"type": "apiKey", "in": "cookie", "name": cookie})
    spec.components.schema("Problem", PROBLEM_SCHEMA)
    tags: dict[str, None] = {}
    for rule, view in _rules(app):
        operations = {
            m.lower(): _operation(spec, plugin, rule, view, m) for m in METHODS if m in (rule.methods or ())
        }
        tags |= dict.fromkeys(next(iter(operations.values()))["tags"])
        spec.path(_path(rule), operations=operations)
    for tag in tags:
        spec.tag({"name": tag})
    found = spec.to_dict()
    _describe(plugin, found["components"]["schemas"])
    _loosen_answers(found)
    return found


def _rules(app: Flask) -> Iterator[tuple[Rule, Callable[..., Any]]]:
    """Every route of the API with its view, by path."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: (r.rule, sorted(r.methods or ()))):
        if rule.rule.startswith(f"{PREFIX}/"):
            yield rule, app.view_functions[rule.endpoint]


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _operation(spec: APISpec, plugin: MarshmallowPlugin, rule: Rule, view: Any, method: str) -> Operation:
    summary, description = _words(view)
    name = rule.endpoint.removeprefix("api.")
    operation: Operation = {
        "operationId": name.replace(".", "_"),
        "tags": [name.split(".")[0]],
        "summary": summary,
        "security": _security(view, method),
        "parameters": [_path_parameter(part) for part in re.findall(r"<[^<>]+>", rule.rule)],
        "responses": _answers(view, rule, method),
    }
    if description:
        operation["description"] = description
    for schema, location in _taken(view):
        if location == "query":
            operation["parameters"] += plugin.converter.schema2parameters(schema, location="query")  # type: ignore[union-attr]
        else:
            operation["requestBody"] = _body(plugin, schema, location, getattr(view, "takes_file", None))
    return operation


def _taken(view: Any) -> Iterator[tuple[type[Schema], str]]:
    if hasattr(view, "takes"):
        yield view.takes
    if hasattr(view, "takes_later"):
        make, location = view.takes_later
        yield make(), location


def _words(view: Any) -> tuple[str, str]:
    """A docstring's first sentence as the summary, all of it (when there is more) as the description."""
    lines = (view.__doc__ or "").strip()
    plain = " ".join(lines.split())
    first = re.match(r".*?[.!?](?=\s|$)", plain)
    if first is None:
        raise AssertionError(f"{view.__module__}.{view.__name__} has no docstring to describe it by")
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", lines)]
    summary = first.group(0)
    return summary.rstrip("."), "\n\n".join(paragraphs) if plain != summary else ""


def _security(view: Any, method: str) -> list[dict[str, list[str]]]:
    """Who may ask: nobody in particular, a token with a scope, or a signed-in browser."""
    if getattr(view, "is_public", False):
        return []
    scope = getattr(view, "scope", "read" if method == "GET" else "")
    ways: list[dict[str, list[str]]] = [{"cookie": []}]
    return [{"bearer": [str(scope)]}, *ways] if scope in TOKEN_SCOPES else ways


def _path_parameter(part: str) -> dict[str, Any]:
    converter, _colon, name = part.strip("<>").rpartition(":")
    schema = {"type": "string"} | ({"format": "uuid"} if converter == "uuid" else {})
    return {"in": "path", "name": name, "required": True, "schema": schema}


def _body(plugin: MarshmallowPlugin, schema: type[Schema], location: str, file: str | None) -> dict[str, Any]:
    shape: dict[str, Any] = plugin.converter.resolve_nested_schema(schema)  # type: ignore[union-attr]
    if file is None:
        return {"required": True, "content": {JSON if location == "json" else FORM: {"schema": shape}}}
    part = {
        "type": "object",
        "required": [file],
        "properties": {file: {"type": "string", "format": "binary"}},
    }
    fields = plugin.converter.schema2jsonschema(schema())  # type: ignore[union-attr]
    part["properties"] |= fields.get("properties", {})
    return {"required": True, "content": {FORM: {"schema": part}}}


def _answers(view: Any, rule: Rule, method: str) -> dict[str, Any]:
    """What a view answers when all is well, and with which statuses it refuses."""
    answers: dict[str, Any] = {}
    if hasattr(view, "gives"):
        schema, status, many = view.gives
        shape = {"type": "array", "items": schema} if many else schema
        kind = getattr(view, "gives_type", JSON)
        also = {int(code) for code in re.findall(r"Answers (2\d\d)\b", view.__doc__ or "")}
        for code in sorted({status, *also}):
            answers[str(code)] = {
                "description": HTTPStatus(code).phrase,
                "content": {kind: {"schema": shape}},
            }
    elif hasattr(view, "gives_type"):
        answers["200"] = {"description": "OK", "content": {view.gives_type: {"schema": {"type": "object"}}}}
    elif method == "DELETE":
        answers["204"] = {"description": "Done; there is nothing more to say."}
    else:
        raise AssertionError(f"{rule.endpoint} does not say what it gives")
    refusals = {int(code) for code in re.findall(r"\(([45]\d\d)\b", view.__doc__ or "")}
    refusals |= set() if getattr(view, "is_public", False) else {401, 403}
    refusals |= {422} if any(_taken(view)) else set()
    refusals |= {400} if method != "GET" else set()
    refusals |= {404} if rule.arguments else set()
    for code in sorted(refusals):
        answers[str(code)] = _refusal(HTTPStatus(code).phrase)
    return answers | {"default": _refusal("Any other refusal")}


def _refusal(words: str) -> dict[str, Any]:
    return {"description": words, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _describe(plugin: MarshmallowPlugin, schemas: dict[str, Any]) -> None:
    """Give each shape its docstring."""
    for key, name in plugin.converter.refs.items():  # type: ignore[union-attr]
        words = (key[0].__doc__ or "").strip()
        if words:
            schemas[name]["description"] = "\n\n".join(
                " ".join(p.split()) for p in re.split(r"\n\s*\n", words)
            )


def _loosen_answers(found: dict[str, Any]) -> None:
    """What is sent must hold nothing unknown; an answer may one day hold more, and clients shall not break on it."""
    schemas = found["components"]["schemas"]
    sent = {
        name
        for path in found["paths"].values()
        for o in path.values()
        for name in _named(o.get("requestBody"), schemas)
    }
    for name, schema in schemas.items():
        if name not in sent and schema.get("additionalProperties") is False:
            del schema["additionalProperties"]


def _named(part: Any, schemas: dict[str, Any]) -> set[str]:
    """The shapes that a part of the document refers to, through others too."""
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part)))
    return names.union(*(_named(schemas[name], schemas) for name in names))
