"""People: who they are, which posts they hold, how they prove it."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Plug sign-in, CSRF protection, token scopes and rate limits into the app."""
    from gridgov.grids import actions as grids
    from gridgov.people import closing, csrf, jobs, limits, roles, security, sessions

    config = app.config["GRIDGOV"]
    roles.use(config.workflows)
    security.configure(config)
    limits.init_app(app)
    sessions.init_app(app)
    csrf.init_app(app)
    jobs.init_app(app)
    grids.warn_on_close(closing.posts_on)
