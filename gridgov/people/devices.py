"""What a browser says of itself, in a few words that people understand."""

from gridgov.i18n import _

SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)
# The order matters: Edge says Chrome too, and everybody says Safari.
BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))


def device(agent: str) -> str:
    """A User-Agent in a few words: 微信 · Android. It is what the browser claims, no proof of anything."""
    browser = _("WeChat") if "MicroMessenger" in agent else _first(BROWSERS, agent)
    return " · ".join(part for part in (browser, _first(SYSTEMS, agent)) if part) or _("Unknown device")


def _first(known: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for sign, name in known if sign in agent), "")
