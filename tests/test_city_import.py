"""Files of grids: what is taken, what is refused and how it is said, and what an import does to the tree."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gridgov.db import session
from gridgov.grids import actions, boundaries, cli, divisions, micro
from gridgov.grids.csvfile import ImportRefused
from gridgov.grids.models import Grid, GridChange, Level

SHAOYANG = Path(__file__).parent / "data" / "shaoyang_county.csv"
HEAD = "code,parent,level,kind,name,short_name\n"
TREE = HEAD + (
    "439901000000,,city,县,东山县,东山县\n"
    "439901100000,439901000000,township,镇,河口镇,河口镇\n"
    "439901110000,439901000000,township,镇,桥头镇,桥头镇\n"
    "439901100001,439901100000,village,居委会,河口社区居委会,河口社区\n"
    "439901100200,439901100000,village,村委会,清水村委会,清水村\n"
    "439901110201,439901110000,village,村委会,清水村委会,清水村\n"
)
MICRO_HEAD = "code,name,kind,households,population,area\n"
MICRO = MICRO_HEAD + (
    "439901100200001,第1村民小组,村民小组,62,190,250000\n"
    "439901100200002,第2村民小组,村民小组,58,,\n"
    "439901100200901,清水小学,专属,0,0,9000\n"
)


def codes(*conditions):
    return list(
        session.scalars(sa.select(Grid.code).where(Grid.code.like("4399%"), *conditions).order_by(Grid.code))
    )


def take(text=TREE, name="东山.csv"):
    return actions.import_divisions(divisions.parse(text, name), source=name)


def take_micro(text=MICRO, name="微网格.csv"):
    villages = set(codes(Grid.level == Level.village, Grid.closed_at.is_(None)))
    return actions.import_micro(micro.parse(text, name, villages), source=name)


def refusal(text, parse=divisions.parse, *more):
    with pytest.raises(ImportRefused) as refused:
        parse(text, "f.csv", *more)
    return [(p.row, p.column) for p in refused.value.problems], refused.value.message


def micro_refusal(rows, villages=("439901100200",)):
    return refusal(MICRO_HEAD + rows, micro.parse, set(villages))


# Reading ----------------------------------------------------------------------------------------------------


def test_codes_are_cut_to_their_level_and_keep_their_zeros(app):
    with app.app_context():
        found = {unit.code: unit.level for unit in divisions.parse(TREE, "f.csv")}
    assert found["439901"] == "city"
    assert found["439901100"] == found["439901110"] == "township", "100 and 110 end in real zeros"
    assert found["439901100200"] == "village"


def test_another_countys_file_with_other_columns_and_units_of_400_to_599_is_taken(app):
    with app.app_context():
        units = {unit.code: unit for unit in divisions.read(SHAOYANG)}
    assert units["430523"].kind == "县"
    assert (units["430523401"].name, units["430523401"].kind) == ("七里山园艺场", "类似乡级单位")
    assert units["430523402501"].kind == "类似村级单位"
    assert units["430523401001"].kind == "居委会"
    assert units["430523401201"].level == "village"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_usual_encodings_and_line_ends_are_read(app, tmp_path, encoding, ending):
    file = tmp_path / "县.csv"
    file.write_bytes(TREE.replace("\n", ending).encode(encoding))
    with app.app_context():
        assert divisions.read(file) == divisions.parse(TREE, "县.csv")


@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_other_delimiters_are_read(app, delimiter):
    with app.app_context():
        assert divisions.parse(TREE.replace(",", delimiter), "f.csv") == divisions.parse(TREE, "f.csv")


def test_columns_may_stand_in_any_order_beside_unknown_ones(app):
    text = "备注,名称,城乡分类,代码\n,东山县,,439901000000\n,河口镇,121,439901100000\n"
    with app.app_context():
        units = divisions.parse(text, "f.csv")
    assert [(unit.code, unit.name, unit.kind) for unit in units] == [
        ("439901", "东山县", "县"),
        ("439901100", "河口镇", "镇"),
    ]


def test_a_short_name_is_made_when_the_file_has_none(app):
    text = (
        "code,name\n439901,东山县\n439901100,河口镇\n439901100001,河口社区居委会\n"
        "439901100201,清水村委会\n439901100002,老街居委会\n"
    )
    with app.app_context():
        short = [unit.short_name for unit in divisions.parse(text, "f.csv")]
    assert short == ["东山县", "河口镇", "河口社区", "清水村", "老街居委会"]


# Refusing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("439901100000,439901000000,township,镇,河口镇,河口镇\n", (4, "code")),  # Twice.
        ("43990110020,439901100000,village,村委会,石村,石村\n", (4, "code")),  # Eleven digits.
        ("4.39901E+11,439901100000,village,村委会,石村,石村\n", (4, "code")),  # A spreadsheet's rounding.
        ("43990110020A,439901100000,village,村委会,石村,石村\n", (4, "code")),
        (",439901100000,village,村委会,石村,石村\n", (4, "code")),
        ("439901100201,439901110000,village,村委会,石村,石村\n", (4, "parent")),
        ("439901100201,439901100x,village,村委会,石村,石村\n", (4, "parent")),
        ("439901100201,439901100000,hamlet,村委会,石村,石村\n", (4, "level")),
        ("439901100201,439901100000,township,村委会,石村,石村\n", (4, "level")),
        ("439901100201,439901100000,village,村委会,,石村\n", (4, "name")),
        ("439901100201,439901100000,village,村委会," + "石" * 61 + ",石村\n", (4, "name")),
        (
            "439901120201,439901120000,village,村委会,石村,石村\n",
            (4, "code"),
        ),  # Its township is not in the file.
        ("439901100600,439901100000,village,村委会,石村,石村\n", (4, "code")),  # Serials end at 599.
        ("430000000000,,city,省,湖南省,湖南省\n", (4, "code")),
    ],
)
def test_a_wrong_row_is_named_by_row_and_column(app, rows, place):
    start = (
        HEAD + "439901000000,,city,县,东山县,东山县\n439901100000,439901000000,township,镇,河口镇,河口镇\n"
    )
    with app.app_context():
        places, message = refusal(start + rows)
    assert places == [place]
    assert f"第 {place[0]} 行" in message or f"row {place[0]}" in message


def test_all_problems_are_told_at_once_up_to_fifty(app):
    rows = "".join(f"43990110,,village,村委会,村{n},村{n}\n" for n in range(70))
    with app.app_context():
        places, message = refusal(HEAD + "439901000000,,city,县,东山县,东山县\n" + rows)
    assert len(places) == 70
    assert len(message.splitlines()) == 51


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "code,parent\n439901000000,\n",
        "code,code,name\n1,1,a\n",
        HEAD,
        'code,name\n439901,"县"x\n',
    ],
)
def test_a_file_without_what_it_needs_is_refused(app, text):
    with app.app_context():
        _places, message = refusal(text)
    assert message


def test_missing_columns_are_named_with_what_was_found(app):
    with app.app_context():
        places, message = refusal("区划,名称\n1,a\n")
    assert places == [(1, None)]
    assert "code" in message and "区划" in message


@pytest.mark.parametrize("data", [b"PK\x03\x04workbook", b"\xff\xfe\x00", b"\x81\xff\xff"])
def test_what_is_no_text_is_refused_with_a_hint(app, tmp_path, data):
    (tmp_path / "f.csv").write_bytes(data)
    with app.app_context(), pytest.raises(ImportRefused):
        divisions.read(tmp_path / "f.csv")


def test_a_missing_file_is_refused(app, tmp_path):
    with app.app_context(), pytest.raises(ImportRefused, match=r"none\.csv"):
        divisions.read(tmp_path / "none.csv")


# The tree ---------------------------------------------------------------------------------------------------


def test_the_first_import_adds_and_the_second_changes_nothing(db_session):
    assert take().counts | {"drawn": 0} == {
        "added": 6, "renamed": 0, "updated": 0, "reopened": 0, "closed": 0, "drawn": 0, "unchanged": 0,
    }  # fmt: skip
    before = session.scalar(sa.select(sa.func.count()).select_from(GridChange))
    again = take()
    assert (again.changed, again.unchanged) == (False, 6)
    assert session.scalar(sa.select(sa.func.count()).select_from(GridChange)) == before


def test_a_newer_file_renames_adds_closes_and_reopens(db_session):
    take()
    newer = TREE.replace("河口镇,河口镇", "江口镇,江口镇").replace("439901100200,", "439901100203,")
    report = take(newer)
    assert [(c.code, c.was, c.name) for c in report.renamed] == [("439901100", "河口镇", "江口镇")]
    assert [c.code for c in report.added] == ["439901100203"]
    assert [c.code for c in report.closed] == ["439901100200"]
    assert report.unchanged == 4
    assert "439901100200" in codes(), "a closed grid stays"
    back = take()
    assert [c.code for c in back.reopened] == ["439901100200"]
    assert [c.code for c in back.closed] == ["439901100203"]
    kinds = session.scalars(
        sa.select(GridChange.kind).where(GridChange.grid_code == "439901100200").order_by(GridChange.id)
    )
    assert list(kinds) == ["added", "closed", "reopened"]


def test_villages_of_one_name_are_kept_apart(db_session):
    take()
    report = take(TREE.replace("439901110201,439901110000,village,村委会,清水村委会,清水村\n", ""))
    assert [c.code for c in report.closed] == ["439901110201"]
    assert "439901100200" in codes(Grid.closed_at.is_(None))


def test_a_closing_township_takes_what_lies_under_it_along(db_session):
    take(), take_micro()
    rest = "".join(
        line
        for line in TREE.splitlines(keepends=True)
        if not line.startswith("4399011002") and "河口" not in line
    )
    report = take(rest)
    assert [c.code for c in report.closed] == [
        "439901100", "439901100001", "439901100200", "439901100200001", "439901100200002", "439901100200901",
    ]  # fmt: skip
    back = take()
    assert [c.code for c in back.reopened] == [c.code for c in report.closed]


def test_only_micro_grids_that_closed_with_their_village_come_back_with_it(db_session):
    take(), take_micro()
    take_micro(MICRO_HEAD + "439901100200001,第1村民小组,村民小组,62,190,250000\n")
    earlier = (
        "UPDATE grids SET opened_at = '2026-01-01', closed_at = '2026-02-01' WHERE closed_at IS NOT NULL"
    )
    session.execute(sa.text(earlier))
    take(TREE.replace("439901100200,439901100000,village,村委会,清水村委会,清水村\n", ""))
    take()
    assert codes(Grid.closed_at.is_(None), Grid.level == Level.micro) == ["439901100200001"]


def test_another_county_is_left_alone(db_session):
    take()
    before = codes(Grid.closed_at.is_(None))
    report = actions.import_divisions(divisions.read(SHAOYANG), source="shaoyang")
    assert (len(report.added), report.closed) == (report.counts["added"], [])
    assert codes(Grid.closed_at.is_(None)) == before


def test_closing_says_what_others_know_to_stand_there(db_session, monkeypatch):
    monkeypatch.setattr(actions, "_warn_on_close", [lambda closing: [f"posts on {closing[0]}"]])
    take()
    assert take().warnings == []
    gone = TREE.replace("439901110201,439901110000,village,村委会,清水村委会,清水村\n", "")
    assert take(gone).warnings == ["posts on 439901110201"]


def test_closing_warns_of_posts_held_and_open_issues_there(city):
    issue = city.report()
    tree = HEAD + "430581000000,,city,市,武冈市,武冈市\n"
    closed = actions.import_divisions(divisions.parse(tree, "f.csv"))
    assert any("430581101222" in warning for warning in closed.warnings)
    assert any(issue.number in warning for warning in closed.warnings)
    assert session.get_one(Grid, "430581101222001").closed_at is not None


# Micro grids ------------------------------------------------------------------------------------------------


def test_micro_grids_are_taken_with_their_counts(db_session):
    take()
    assert take_micro().counts["added"] == 3
    grid = session.get_one(Grid, "439901100200001")
    assert (grid.households, grid.population, grid.area_m2, grid.parent_code) == (
        62,
        190,
        250000,
        "439901100200",
    )
    assert session.get_one(Grid, "439901100200002").population is None
    assert take_micro().changed is False


def test_micro_grids_of_villages_that_the_file_does_not_name_stay(db_session):
    take(), take_micro()
    report = take_micro(MICRO_HEAD + "439901110201001,上院子,村民小组,70,201,\n")
    assert report.closed == []
    report = take_micro(MICRO_HEAD + "439901100200001,新屋院子,村民小组,62,190,250000\n")
    assert [c.code for c in report.closed] == ["439901100200002", "439901100200901"]
    assert [(c.was, c.name) for c in report.renamed] == [("第1村民小组", "新屋院子")]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("43990110020001,组,村民小组,1,1,1", "code"),
        ("439901100200000,组,村民小组,1,1,1", "code"),
        ("439901100200900,组,村民小组,1,1,1", "code"),
        ("439901100200901,组,村民小组,1,1,1", "kind"),
        ("439901100200001,小学,专属,1,1,1", "kind"),
        ("439901100299001,组,村民小组,1,1,1", "code"),
        ("439901100200001,,村民小组,1,1,1", "name"),
        ("439901100200001,组,,1,1,1", "kind"),
        ("439901100200001,组,村民小组,-3,1,1", "households"),
        ("439901100200001,组,村民小组,约六十,1,1", "households"),
        ("439901100200001,组,村民小组,1,1.5,1", "population"),
        ("439901100200001,组,村民小组,1,1,0.25", "area"),
        ("439901100200001,组,村民小组,99999999,1,1", "households"),
    ],
)
def test_a_wrong_micro_grid_is_named_by_row_and_column(app, row, column):
    with app.app_context():
        assert micro_refusal(row + "\n")[0] == [(2, column)]


def test_a_micro_grid_twice_is_refused(app):
    with app.app_context():
        assert micro_refusal("439901100200001,a,小区,1,1,1\n439901100200001,b,小区,1,1,1\n")[0] == [
            (3, "code")
        ]


def test_a_micro_file_needs_all_its_columns(app):
    with app.app_context():
        places, message = refusal("code,name,kind\n", micro.parse, set())
    assert places == [(1, None)] and "households" in message


# The command ------------------------------------------------------------------------------------------------


def test_the_command_imports_all_files_or_nothing(db_session, tmp_path):
    files = tmp_path / "div.csv", tmp_path / "micro.csv"
    files[0].write_text(TREE, encoding="utf-8")
    files[1].write_text(MICRO + "439901999999001,组,村民小组,1,1,1\n", encoding="utf-8")
    with pytest.raises(ImportRefused, match="439901999999"):
        cli.run(*files)
    assert codes() == []
    files[1].write_text(MICRO, encoding="utf-8")
    assert [report.counts["added"] for _name, report in cli.run(*files)] == [6, 3]


def test_a_dry_run_reports_and_changes_nothing(db_session, tmp_path):
    (tmp_path / "div.csv").write_text(TREE, encoding="utf-8")
    [(name, report)] = cli.run(tmp_path / "div.csv", dry_run=True)
    assert (name, report.counts["added"]) == ("div.csv", 6)
    assert codes() == []


def test_the_command_reports_in_words_and_ends_with_1_on_a_bad_file(app, db_session, tmp_path):
    runner = app.test_cli_runner()
    (tmp_path / "div.csv").write_text(TREE, encoding="utf-8")
    (tmp_path / "bad.csv").write_text(TREE.replace("河口镇,河口镇", ",河口镇"), encoding="utf-8")
    good = runner.invoke(cli.city, ["import", str(tmp_path / "div.csv"), "--abbr", "ds"])
    assert good.exit_code == 0 and "439901100 河口镇" in good.output
    assert session.get_one(Grid, "439901").abbr == "DS"
    bad = runner.invoke(cli.city, ["import", str(tmp_path / "bad.csv")])
    assert bad.exit_code == 1 and "bad.csv" in bad.output and "3" in bad.output


# Areas ------------------------------------------------------------------------------------------------------


def feature(code, ring, **properties):
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"code": code, **properties}, "geometry": geometry}


SQUARE = [[110.0, 26.0], [110.1, 26.0], [110.1, 26.1], [110.0, 26.1], [110.0, 26.0]]


def areas_file(tmp_path, *features):
    file = tmp_path / "areas.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return file


def test_areas_are_taken_by_code_and_marked_as_they_are(db_session, tmp_path):
    take()
    file = areas_file(
        tmp_path, feature("439901000000", SQUARE), feature("439901100", SQUARE, approximate=True)
    )
    areas = boundaries.read(file, set(codes()))
    assert [c.code for c in actions.import_boundaries(areas).drawn] == ["439901", "439901100"]
    city, town = session.get_one(Grid, "439901"), session.get_one(Grid, "439901100")
    assert (city.boundary_approximate, town.boundary_approximate) == (False, True)
    assert (city.min_lon, city.max_lat) == (110.0, 26.1)
    assert 110.0 < city.lon < 110.1 and 26.0 < city.lat < 26.1
    assert actions.import_boundaries(areas).unchanged == 2


def test_wrong_areas_are_named_by_feature(db_session, tmp_path):
    take()
    line = {
        "type": "Feature",
        "properties": {"code": "439901"},
        "geometry": {"type": "LineString", "coordinates": SQUARE},
    }
    swapped = [[lat, lon] for lon, lat in SQUARE]
    file = areas_file(
        tmp_path, feature("439999", SQUARE), line, feature("439901100", swapped), {"type": "Feature"}
    )
    with pytest.raises(ImportRefused) as refused:
        boundaries.read(file, set(codes()))
    assert {(p.row, p.column) for p in refused.value.problems} == {
        (1, "code"), (2, "geometry"), (3, "geometry"), (4, "code"), (4, "geometry"),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "FeatureCollection", "features": {}}'])
def test_what_is_no_feature_collection_is_refused(app, tmp_path, text):
    (tmp_path / "a.geojson").write_text(text, encoding="utf-8")
    with app.app_context(), pytest.raises(ImportRefused):
        boundaries.read(tmp_path / "a.geojson", set())


# What the database itself refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "code = '43990110020'",
        "parent_code = '439901110'",
        "parent_code = NULL",
        "level = 'township'",
        "name = ' '",
        "households = -1",
        "lat = 26.1",
        "abbr = 'XX'",
        "closed_at = opened_at - interval '1 day'",
        "min_lon = 110",
        "code = '439901100000'",
    ],
)
def test_the_database_refuses_a_grid_that_breaks_the_rules(db_session, change):
    take()
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.text(f"UPDATE grids SET {change} WHERE code = '439901100200'"))


def test_a_grid_is_never_deleted_and_its_trail_never_changed(db_session):
    take()
    for statement in (
        "DELETE FROM grids WHERE code = '439901100200'",
        "DELETE FROM grid_changes",
        "UPDATE grid_changes SET kind = 'added'",
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.text(statement))
