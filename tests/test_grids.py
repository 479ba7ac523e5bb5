"""The grid tree: its reads, where a point lies, and its API."""

import pytest
import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.errors import NotFound
from gridgov.grids import geometry, queries
from gridgov.grids.models import Grid, Level
from tests.seed import CITY, MICRO, SIBLING_MICRO, SPOT, TOWNSHIP, VILLAGE


def close(code):
    session.execute(sa.update(Grid).where(Grid.code == code).values(closed_at=utcnow()))
    session.expire_all()


def square(lon, lat, size):
    ring = [[lon, lat], [lon + size, lat], [lon + size, lat + size], [lon, lat + size], [lon, lat]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_level_and_parent_come_from_the_code_alone():
    assert [queries.level_of(code) for code in (CITY, TOWNSHIP, VILLAGE, MICRO)] == list(Level)
    assert [queries.parent_code(code) for code in (CITY, TOWNSHIP, VILLAGE, MICRO)] == [
        None,
        CITY,
        TOWNSHIP,
        VILLAGE,
    ]
    assert queries.ancestor_codes(MICRO) == [CITY, TOWNSHIP, VILLAGE, MICRO]


def test_the_path_names_every_level(db_session):
    assert queries.path_names(VILLAGE) == ["武冈市", "湾头桥镇", "泻油村"]
    assert queries.path_name(VILLAGE) == "湾头桥镇 泻油村"
    assert queries.path_name(CITY) == "武冈市"
    with pytest.raises(NotFound):
        queries.path_names("430581199")


def test_children_are_the_open_ones_unless_asked(db_session):
    close(SIBLING_MICRO)
    assert [grid.code for grid in queries.children(VILLAGE)] == [MICRO]
    assert [grid.code for grid in queries.children(VILLAGE, closed=True)] == [MICRO, SIBLING_MICRO]


def test_everything_under_a_grid_is_its_prefix(db_session):
    codes = session.scalars(sa.select(Grid.code).where(queries.under(Grid.code, VILLAGE)).order_by(Grid.code))
    assert list(codes) == [VILLAGE, MICRO, SIBLING_MICRO]
    with pytest.raises(AssertionError):
        queries.under(Grid.code, "4305%")


def test_areas_are_not_loaded_with_grids(db_session):
    assert "boundary" in sa.inspect(queries.get(CITY)).unloaded


# Where a point lies -----------------------------------------------------------------------------------------


def test_a_point_lies_in_the_deepest_open_grid(db_session):
    assert queries.locate(**SPOT).code == MICRO
    close(MICRO)
    assert queries.locate(**SPOT).code == SIBLING_MICRO, (
        "its village is the place; the nearest part of it answers"
    )


def test_a_point_in_a_gap_belongs_to_the_nearest_part(db_session):
    # The lower part of the village has two micro grids; the upper part none.
    assert queries.locate(lat=26.56, lon=110.41).code == MICRO
    assert queries.locate(lat=26.56, lon=110.49).code == SIBLING_MICRO


def test_a_point_outside_the_city_lies_nowhere(db_session):
    assert queries.locate(lat=26.40, lon=110.42) is None
    assert queries.locate(lat=-33.9, lon=151.2) is None


def test_a_grid_without_parts_is_the_place_itself(db_session):
    for code in (MICRO, SIBLING_MICRO):
        close(code)
    assert queries.locate(**SPOT).code == VILLAGE


def test_a_smaller_area_inside_a_larger_one_wins(db_session):
    yard = square(110.419, 26.519, 0.002)
    session.add(
        Grid(
            code=f"{VILLAGE}901", parent_code=VILLAGE, level=Level.micro, kind="专属", name="小学",
            short_name="小学", boundary=yard, opened_at=utcnow(),
            min_lon=110.419, min_lat=26.519, max_lon=110.421, max_lat=26.521,
        )
    )  # fmt: skip
    session.flush()
    assert queries.locate(**SPOT).code == f"{VILLAGE}901"
    assert queries.locate(lat=26.53, lon=110.43).code == MICRO


def test_parts_known_by_their_centre_alone_are_found_by_it(db_session):
    none = dict.fromkeys(("min_lon", "min_lat", "max_lon", "max_lat"))
    session.execute(sa.update(Grid).where(Grid.parent_code == VILLAGE).values(boundary=sa.null(), **none))
    assert queries.locate(lat=26.51, lon=110.44).code == MICRO
    assert queries.locate(lat=26.51, lon=110.46).code == SIBLING_MICRO


def test_the_box_index_serves_the_search(db_session):
    session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    plan = session.scalars(
        sa.text(
            "EXPLAIN SELECT code FROM grids WHERE closed_at IS NULL AND boundary IS NOT NULL"
            " AND box(point(min_lon, min_lat), point(max_lon, max_lat))"
            " @> box(point(110.42, 26.52), point(110.42, 26.52))"
        )
    )
    assert any("ix_grids_box" in line for line in plan)


# Shapes -----------------------------------------------------------------------------------------------------


def test_an_area_is_measured_on_the_ground():
    shape = geometry.shape(square(110.6, 26.7, 0.01))
    assert geometry.area_m2(shape) == pytest.approx(1_107_000, rel=0.01)


def test_distances_are_metres():
    text = '{"type": "Point", "coordinates": [110.6, 26.7]}'
    assert geometry.distance_m(text, 26.701, 110.6) == pytest.approx(111.3, rel=0.01)
    assert geometry.distance_m(text, 26.7, 110.601) == pytest.approx(99.5, rel=0.01)


def test_an_area_that_crosses_itself_is_mended():
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    assert geometry.shape(bow).area == pytest.approx(2)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": [[[1, 2]]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0], [0, 0]]]},
        {"type": "Polygon", "coordinates": "many"},
        square(26.7, 110.6, 0.1),
    ],
)
def test_what_is_no_area_is_refused(wrong):
    with pytest.raises(ValueError):
        geometry.shape(wrong)


# The API ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["", f"/{VILLAGE}", f"/{VILLAGE}/children", f"/{CITY}/boundary", "/locate?lat=26.5&lon=110.5"]
)
def test_the_tree_needs_a_sign_in(client, path):
    assert client.get(f"/api/v1/grids{path}").status_code == 401


def test_the_roots_and_the_parts_of_a_grid_are_listed(client, city):
    roots = client.get("/api/v1/grids", city.resident).get_json()["items"]
    assert [(grid["code"], grid["abbr"], grid["level"]) for grid in roots] == [(CITY, "WG", "city")]
    parts = client.get(f"/api/v1/grids?parent={VILLAGE}", city.resident).get_json()["items"]
    assert [grid["code"] for grid in parts] == [MICRO, SIBLING_MICRO]
    assert client.get(f"/api/v1/grids/{VILLAGE}/children", city.resident).get_json()["items"] == parts


def test_closed_grids_are_listed_when_asked_for(client, city):
    close(SIBLING_MICRO)
    got = client.get(f"/api/v1/grids?parent={VILLAGE}&closed=true", city.resident).get_json()["items"]
    assert [grid["closed_at"] is None for grid in got] == [True, False]


def test_one_grid_comes_with_its_path(client, city):
    got = client.get(f"/api/v1/grids/{VILLAGE}", city.resident).get_json()
    assert (got["name"], got["path"], got["parent_code"]) == (
        "泻油村",
        ["武冈市", "湾头桥镇", "泻油村"],
        TOWNSHIP,
    )
    assert "boundary" not in got


@pytest.mark.parametrize(
    "path", ["/430581199", "/430581199/children", "/430581199/boundary", "?parent=430581199"]
)
def test_an_unknown_grid_is_404(client, city, path):
    answer = client.get(f"/api/v1/grids{path}", city.resident)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


def test_a_place_is_found_by_api(client, city):
    got = client.get(f"/api/v1/grids/locate?lat={SPOT['lat']}&lon={SPOT['lon']}", city.resident).get_json()
    assert (got["code"], got["path"][-1]) == (MICRO, "第1村民小组")


def test_a_place_outside_the_city_says_so(client, city):
    answer = client.get("/api/v1/grids/locate?lat=26.0&lon=110.5", city.resident)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "outside_city")


@pytest.mark.parametrize(
    "query", ["lat=26", "lat=x&lon=110", "lat=126&lon=110", "lat=nan&lon=110", "lat=26&lon=inf", ""]
)
def test_a_place_that_is_none_is_refused(client, city, query):
    assert client.get(f"/api/v1/grids/locate?{query}", city.resident).status_code == 422


def test_a_boundary_is_geojson_and_kept_by_the_browser(client, city):
    answer = client.get(f"/api/v1/grids/{MICRO}/boundary", city.resident)
    body = answer.get_json()
    assert (body["type"], body["geometry"]["type"], body["properties"]["approximate"]) == (
        "Feature",
        "Polygon",
        False,
    )
    assert answer.mimetype == "application/geo+json"
    assert "private" in answer.headers["Cache-Control"]
    token = client.bearer(city.resident)
    again = client.app.test_client().get(
        f"/api/v1/grids/{MICRO}/boundary", headers={**token, "If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
