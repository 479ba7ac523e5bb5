"""Photos: taken in, checked, drawn anew, kept in a store, shown to whoever may see them. Knows no issues."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Say where photos are kept and how large they may be, and bound what an upload may send."""
    from gridgov.photos import settings, uploads

    settings.use(app.config["GRIDGOV"])
    uploads.init_app(app)
