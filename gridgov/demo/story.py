"""The people one signs in as: one for each role, in one place, so that a problem can be followed all the way.

Somebody in 泻油村 (湾头桥镇) reports it; it climbs to the township, the city and a department; somebody else
verifies.
"""

from dataclasses import dataclass

from gridgov.people.models import Role

PASSWORD = "wangge2026"
CITY, TOWNSHIP, VILLAGE, MICRO = "430581", "430581101", "430581101222", "430581101222001"


@dataclass(frozen=True)
class Login:
    """Somebody to sign in as. `place` is a grid's code, or a department's for the role department."""

    key: str
    zh: str
    en: str
    name: str
    phone: str
    role: Role
    place: str
    title: str | None = None

    @property
    def label(self) -> dict[str, str]:
        """What this person is, in both languages."""
        return {"zh": self.zh, "en": self.en}


LOGINS = (
    Login(
        "resident", "居民（泻油村）", "Resident of Xieyou village",
        "刘桂英", "19900000001", Role.RESIDENT, MICRO,
    ),
    Login(
        "worker", "网格员（泻油村）", "Grid worker in Xieyou",
        "周小兰", "19900000002", Role.WORKER, MICRO, "专职网格员",
    ),
    Login(
        "micro_chief", "微网格长（泻油村一组）", "Micro-grid chief",
        "肖建国", "19900000003", Role.MICRO_CHIEF, MICRO, "组长，兼河长、林长",
    ),
    Login(
        "village_chief", "小网格长（泻油村）", "Village grid chief",
        "李长松", "19900000004", Role.VILLAGE_CHIEF, VILLAGE, "村党支部书记",
    ),
    Login(
        "township_office", "湾头桥镇网格办", "Wantouqiao township grid office",
        "曾敏", "19900000005", Role.TOWNSHIP_OFFICE, TOWNSHIP, "网格办专干",
    ),
    Login(
        "township_office_2", "湾头桥镇网格办（另一人）", "Township grid office, second person",
        "唐勇", "19900000006", Role.TOWNSHIP_OFFICE, TOWNSHIP, "网格办主任",
    ),
    Login(
        "city_office", "市网格办（交办）", "City grid office, dispatching",
        "林晓", "19900000007", Role.CITY_OFFICE, CITY, "交办岗",
    ),
    Login(
        "city_office_2", "市网格办（核实）", "City grid office, verifying",
        "马芳", "19900000008", Role.CITY_OFFICE, CITY, "核实回访岗",
    ),
    Login(
        "department", "交通运输局", "Transport Bureau",
        "戴立军", "19900000009", Role.DEPARTMENT, "transport", "公路股干部",
    ),
    Login(
        "township_chief", "中网格长（湾头桥镇）", "Township grid chief",
        "邓志刚", "19900000010", Role.TOWNSHIP_CHIEF, TOWNSHIP, "镇党委书记",
    ),
    Login(
        "city_chief", "大网格长", "City grid chief",
        "陈国平", "19900000011", Role.CITY_CHIEF, CITY, "市委书记",
    ),
    Login(
        "city_leader", "市领导", "City leader",
        "许志强", "19900000012", Role.CITY_LEADER, CITY, "分管副市长",
    ),
    Login(
        "auditor", "审计员", "Auditor",
        "严明", "19900000013", Role.AUDITOR, CITY,
    ),
    Login(
        "administrator", "系统管理员", "Administrator",
        "程安", "19900000014", Role.ADMINISTRATOR, CITY,
    ),
    Login(
        "store_clerk", "积分超市管理员", "Store clerk",
        "张丽娟", "19900000015", Role.STORE_CLERK, VILLAGE,
    ),
    Login(
        "line_chief", "镇级河长、路长（湾头桥镇）", "River and road chief of the township",
        "罗江平", "19900000016", Role.LINE_CHIEF, TOWNSHIP, "镇级河长、路长",
    ),
)  # fmt: skip
DEPARTMENTS = {
    "water": ("水利局", "Water Bureau"),
    "police": ("公安局", "Police"),
    "housing": ("住房和城乡建设局", "Housing and Construction Bureau"),
    "transport": ("交通运输局", "Transport Bureau"),
    "emergency": ("应急管理局", "Emergency Management Bureau"),
    "ecology": ("生态环境分局", "Ecology and Environment Office"),
    "agriculture": ("农业农村局", "Agriculture Bureau"),
    "urban_management": ("城市管理局", "Urban Management Bureau"),
}
