"""The demo city: the whole of Wugang with made-up micro grids, people and issues, the same every time from
one seed.
"""

from gridgov.demo.story import LOGINS, PASSWORD

__all__ = ["logins"]


def logins() -> list[tuple[dict[str, str], str, str, str]]:
    """(what they are in both languages, name, phone, password) of the people one signs in as, in the order of
    the story.
    """
    return [(login.label, login.name, login.phone, PASSWORD) for login in LOGINS]
