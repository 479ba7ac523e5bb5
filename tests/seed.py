"""The small test city: two townships, three villages, four micro grids, and somebody in every role, here and elsewhere."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.grids.models import Grid, Level
from gridgov.issues import actions as issues
from gridgov.people import actions as people
from gridgov.people.models import Person, Role

PASSWORD = "wugang-2026"
CITY, TOWNSHIP, VILLAGE, MICRO = "430581", "430581101", "430581101222", "430581101222001"
SIBLING_MICRO, SIBLING_VILLAGE = "430581101222002", "430581101221"
FOREIGN_TOWNSHIP, FOREIGN_VILLAGE, FOREIGN_MICRO = "430581100", "430581100201", "430581100201001"
# code, level, kind, name, and the square (lon, lat, size in degrees) that is its area.
GRIDS = [
    (CITY, Level.city, "市", "武冈市", (110.40, 26.50, 0.60)),
    (TOWNSHIP, Level.township, "镇", "湾头桥镇", (110.40, 26.50, 0.20)),
    (FOREIGN_TOWNSHIP, Level.township, "镇", "邓元泰镇", (110.70, 26.50, 0.20)),
    (VILLAGE, Level.village, "村委会", "泻油村", (110.40, 26.50, 0.10)),
    (SIBLING_VILLAGE, Level.village, "村委会", "上泥田村", (110.50, 26.50, 0.10)),
    (FOREIGN_VILLAGE, Level.village, "村委会", "华塘村", (110.70, 26.50, 0.10)),
    (MICRO, Level.micro, "村民小组", "第1村民小组", (110.40, 26.50, 0.05)),
    (SIBLING_MICRO, Level.micro, "村民小组", "第2村民小组", (110.45, 26.50, 0.05)),
    ("430581101221001", Level.micro, "村民小组", "第1村民小组", (110.50, 26.50, 0.05)),
    (FOREIGN_MICRO, Level.micro, "村民小组", "第1村民小组", (110.70, 26.50, 0.05)),
]
SPOT = {"lat": 26.52, "lon": 110.42}
"""A place inside MICRO."""
# key: name, role, grid or department. The phone is 1990000 and the four-digit place in this list.
PEOPLE: dict[str, tuple[str, Role, str]] = {
    "resident": ("刘大娘", Role.RESIDENT, MICRO),
    "neighbour": ("肖老伯", Role.RESIDENT, MICRO),
    "worker": ("周小兰", Role.WORKER, MICRO),
    "micro_chief": ("肖建国", Role.MICRO_CHIEF, MICRO),
    "village_chief": ("李支书", Role.VILLAGE_CHIEF, VILLAGE),
    "township_chief": ("邓书记", Role.TOWNSHIP_CHIEF, TOWNSHIP),
    "township_office": ("曾敏", Role.TOWNSHIP_OFFICE, TOWNSHIP),
    "township_office_2": ("唐勇", Role.TOWNSHIP_OFFICE, TOWNSHIP),
    "city_chief": ("陈书记", Role.CITY_CHIEF, CITY),
    "city_office": ("林晓", Role.CITY_OFFICE, CITY),
    "city_office_2": ("马芳", Role.CITY_OFFICE, CITY),
    "city_leader": ("许副市长", Role.CITY_LEADER, CITY),
    "department": ("戴工", Role.DEPARTMENT, "transport"),
    "department_2": ("夏工", Role.DEPARTMENT, "transport"),
    "other_department": ("王警官", Role.DEPARTMENT, "police"),
    "store_clerk": ("张店员", Role.STORE_CLERK, VILLAGE),
    "auditor": ("严审", Role.AUDITOR, CITY),
    "administrator": ("管理员", Role.ADMINISTRATOR, CITY),
    "sibling_micro_chief": ("肖二组", Role.MICRO_CHIEF, SIBLING_MICRO),
    "sibling_worker": ("周二妹", Role.WORKER, SIBLING_MICRO),
    "sibling_village_chief": ("刘支书", Role.VILLAGE_CHIEF, SIBLING_VILLAGE),
    "foreign_resident": ("邓阿婆", Role.RESIDENT, FOREIGN_MICRO),
    "foreign_worker": ("黄小妹", Role.WORKER, FOREIGN_MICRO),
    "foreign_micro_chief": ("黄组长", Role.MICRO_CHIEF, FOREIGN_MICRO),
    "foreign_village_chief": ("黄支书", Role.VILLAGE_CHIEF, FOREIGN_VILLAGE),
    "foreign_township_office": ("杨专干", Role.TOWNSHIP_OFFICE, FOREIGN_TOWNSHIP),
    "river_chief": ("周河长", Role.LINE_CHIEF, VILLAGE),
}
PHONES = {key: f"1990000{i:04d}" for i, key in enumerate(PEOPLE)}


def small_city() -> None:
    """Write the test city. Runs once, into the template database."""
    for code, level, kind, name, (lon, lat, size) in GRIDS:
        box: dict[str, Any] = {"min_lon": lon, "min_lat": lat, "max_lon": lon + size, "max_lat": lat + size}
        ring = [[lon, lat], [lon + size, lat], [lon + size, lat + size], [lon, lat + size], [lon, lat]]
        session.add(
            Grid(
                code=code, parent_code=code[:-3] if len(code) > 6 else None, level=level, kind=kind, name=name,
                short_name=name, abbr="WG" if level is Level.city else None, lat=lat + size / 2, lon=lon + size / 2,
                boundary={"type": "Polygon", "coordinates": [ring]}, opened_at=utcnow(), **box,
            )
        )  # fmt: skip
        session.flush()
    departments = {
        code: people.create_department(code, name, CITY, name_en=english, actor=None)
        for code, name, english in (("transport", "交通运输局", "Transport"), ("police", "公安局", "Police"))
    }
    issues.seed_categories()
    hashed: str | None = None
    for key, (name, role, place) in PEOPLE.items():
        person = people.create_person(name, PHONES[key], actor=None, password=None if hashed else PASSWORD)
        hashed = hashed or person.password_hash  # Everybody has the same password: it is hashed once.
        person.password_hash = hashed
        department = departments.get(place)
        people.appoint(
            person, role, actor=None, grid_code=None if department else place,
            department_id=department.id if department else None, starts_on=date(2020, 1, 1),
            lines=("river",) if role is Role.LINE_CHIEF else (),
        )  # fmt: skip


class City:
    """The people of the test city by key: `city.worker`, `city.foreign_village_chief`."""

    def __getattr__(self, key: str) -> Person:
        if key not in PHONES:
            raise AttributeError(key)
        return self.person(key)

    def person(self, key: str) -> Person:
        """Somebody by key, in the present session: a request of the client ends the one before."""
        return session.scalars(sa.select(Person).where(Person.phone == PHONES[key])).one()

    def report(self, reporter: str = "worker", **given: Any) -> Any:
        """An issue in MICRO, reported by the real action: a pothole, in no need of a photo unless asked."""
        given = {"category": "0203", "text": "村口三轮车载人", "grid_code": MICRO, **given}
        return issues.report(actor=self.person(reporter), **given)[0]
