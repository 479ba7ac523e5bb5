"""Names for the demo: of people, of villagers' groups and estates. Made up; no real person is meant."""

import random

# Common family names of the region, the commonest ones several times.
SURNAMES = (
    "刘刘刘刘刘李李李李邓邓邓邓周周周周肖肖肖肖曾曾曾唐唐唐陈陈陈张张张杨杨杨王王王黄黄黄夏夏林林戴戴许许萧欧钟钟银毛毛吴吴"
    "彭彭谢谢罗罗何何马马朱朱郭郭蒋蒋段段易易姚姚伍龙胡胡夏程于尹沈范蔡廖廖谭谭"
)
MALE = "国建志文明华军强平伟辉勇斌林波海德龙松涛峰亮永忠光荣成祥和生富贵金旺安全喜春生良才福云山新民小兵"
FEMALE = "秀英芳兰玉梅桂香红艳丽娟霞燕莲凤珍翠花菊云美爱群小春满喜娥琴萍冬雪叶月慧敏晓婷佳丹"
MODERN = "梓轩浩然子涵雨欣思远嘉怡俊杰欣妍宇航诗琪"

PLACE_HEADS = "肖刘李邓周曾唐陈张杨王黄夏林戴许欧钟银毛吴彭谢罗何马朱郭"
PLACE_TAILS = ("家院子 家湾 家冲 家老屋 家塘 家坪 家垅 家岭 家桥边 家祠堂").split()
PLACES = (
    "大塘湾 老屋里 新屋里 石山脚 塘边 桥头 井边 樟树下 枫木坳 竹山院 对门垅 油铺里 上院子 下院子 "
    "中间院子 水井湾 茶子山 马路边 岩门前 石板桥 铁炉冲 砖瓦窑 庙门前 学堂边 渡口上 沙洲上 田心里 "
    "高岸上 瓦屋场 榨油坊 晒谷坪 田垅中 坳背 山塘口 桐子坪 碓屋边 仓下 枣树院 柿子园 洞口边"
).split()
ESTATES = (
    "金穗小区 都梁家园 云山小区 资江花园 和谐家园 新天地小区 幸福里 锦绣华庭 富田苑 春江苑 书香名邸 "
    "凤凰城 福星小区 龙江花苑 阳光小区 紫荆苑 东升小区 同保新村 迎宾小区 丽景苑"
).split()
YARDS = (
    "粮食局家属院 老供销社院子 水利局家属院 一中教工楼 农机厂宿舍 百货公司大院 老酒厂宿舍 "
    "运输公司院子 纺织厂家属区 食品公司院子 老邮电所楼院 中医院宿舍 老电影院片 汽车站片 老街上段 "
    "老街下段 农贸市场片 河街片 城墙边片 工农兵路楼院"
).split()
DEDICATED_KIND = "专属"
DEDICATED = ("中心小学 农贸市场 烟花爆竹专营店 卫生院 砖厂 加油站 敬老院 液化气站 中学 养殖场").split()


def person(rng: random.Random) -> str:
    """A Chinese name of two or three characters."""
    surname = rng.choice(SURNAMES)
    given = rng.choices((MALE, FEMALE, MODERN), (55, 38, 7))[0]
    if rng.random() < 0.18:
        return surname + rng.choice(given)
    return surname + "".join(rng.sample(given, 2))


def places(count: int, rng: random.Random) -> list[str]:
    """Different names of hamlets for one village."""
    found: list[str] = []
    while len(found) < count:
        name = (
            rng.choice(PLACES) if rng.random() < 0.45 else rng.choice(PLACE_HEADS) + rng.choice(PLACE_TAILS)
        )
        if name not in found:
            found.append(name)
    return found


def estates(count: int, rng: random.Random) -> list[str]:
    """Different names of estates, yards and blocks for one community."""
    return rng.sample(ESTATES + YARDS, count)
