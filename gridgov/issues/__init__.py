"""Issues: reported, passed up or dispatched, resolved, verified by somebody else, closed when the reporter was asked."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Prove the workflow at boot and let photos be seen by whoever may see their issue."""
    from gridgov.grids import actions as grids
    from gridgov.issues import actions, closing, flow, following, overdue, queries  # noqa: F401 – two register themselves
    from gridgov.photos import queries as photos

    flow.use(app.config["GRIDGOV"].workflows)
    if queries.may_see_photo not in photos.viewers:
        photos.viewers.append(queries.may_see_photo)
    app.extensions.setdefault("gridgov_seeds", []).append(actions.seed_categories)
    grids.warn_on_close(closing.issues_on)
