"""Notices: who is told what. Written once per person by the outbox's consumer; read in the inbox."""

from typing import Any

from flask import Flask

from gridgov import events, outbox


def init_app(app: Flask) -> None:
    """Listen for what issues announce, and register what delivers it."""
    from gridgov.notices import actions, jobs, settings  # noqa: F401 – jobs plugs itself into the schedule.

    settings.use(app.config["GRIDGOV"])
    events.subscribe("issue.told")(actions.announce)
    events.subscribe("issue.warned")(actions.warn)
    events.subscribe("identity.looked")(actions.tell_of_look)
    events.subscribe("issue.reminded")(actions.remind)
    outbox.consumer(actions.TOPIC, together=actions.write_all)(actions.write)


__all__: list[Any] = ["init_app"]
