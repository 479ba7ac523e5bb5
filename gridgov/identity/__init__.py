"""Who reported: looks at sealed identities, on record, and reports without a name that a code follows up."""

from flask import Flask

from gridgov.identity import codes


def init_app(app: Flask) -> None:
    """Take the key of the codes."""
    config = app.config["GRIDGOV"]
    codes.use(config.sealing_key or config.secret_key)
