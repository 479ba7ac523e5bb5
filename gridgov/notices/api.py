"""One's own inbox as JSON; how one is told outside; what administrators do about what could not be brought."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from gridgov.notices import actions, addresses, deliveries, queries, settings, troubles
from gridgov.notices.address_schemas import (
    CodeSchema,
    DeliveryPageSchema,
    DeliverySchema,
    GroupSchema,
    GroupsSchema,
    MineSchema,
    NewAddressSchema,
    NewGroupSchema,
    TroubleQuerySchema,
    WantedSchema,
)
from gridgov.notices.models import PERSONAL, Channel, Urgency
from gridgov.notices.schemas import InboxSchema, NoticePageSchema, ReadSchema, UnreadSchema
from gridgov.people import limits
from gridgov.people.actions import require
from gridgov.people.models import Role
from gridgov.people.scopes import no_tokens, scope
from gridgov.web import current_user, gives, takes

bp = Blueprint("notices", __name__, url_prefix="/notices")
me = Blueprint("channels", __name__, url_prefix="/me/notices")
admin = Blueprint("deliveries", __name__, url_prefix="/admin")


@bp.get("")
@gives(NoticePageSchema)
@takes(InboxSchema, location="query")
def inbox(cursor: str | None, limit: int) -> Any:
    """What you were told, newest first."""
    page = queries.inbox(current_user, cursor=cursor, limit=limit)
    return {"items": page.rows, "next": page.next, "unread": queries.unread(current_user)}


@bp.post("/read")
@scope("act")
@gives(UnreadSchema)
@takes(ReadSchema)
def read(ids: list[UUID] | None) -> Any:
    """Mark notices of yours as read; other people's are not touched."""
    actions.mark_read(current_user, ids)
    return {"unread": queries.unread(current_user)}


# How I am told outside ------------------------------------------------------------------------------------------------


def _mine() -> dict[str, Any]:
    offered = [str(channel) for channel in PERSONAL if settings.current().offers(channel)]
    return {"wanted": troubles.wanted(current_user), "addresses": addresses.own(current_user), "offered": offered}


@me.get("")
@gives(MineSchema)
def mine() -> Any:
    """How I am told outside, and where."""
    return _mine()


@me.put("")
@scope("act")
@gives(MineSchema)
@takes(WantedSchema)
def want(**wanted: Any) -> Any:
    """Say how I want to be told outside; all of it at once."""
    addresses.set_preferences(current_user, **wanted)
    return _mine()


@me.post("/addresses")
@no_tokens
@gives(MineSchema, 201)
@takes(NewAddressSchema)
def add(channel: str, target: str) -> Any:
    """Enter an address of mine. To a mailbox a code is sent that proves it."""
    limits.hit("login_rate", "address", str(current_user.id))
    addresses.add_own(Channel(channel), target, actor=current_user)
    return _mine()


@me.post("/addresses/<uuid:address_id>/confirm")
@no_tokens
@gives(MineSchema)
@takes(CodeSchema)
def confirm(address_id: UUID, code: str) -> Any:
    """Prove a mailbox by the code that was sent to it."""
    limits.hit("login_rate", "code", str(address_id))
    addresses.confirm(address_id, code, actor=current_user)
    return _mine()


@me.post("/addresses/<uuid:address_id>/test")
@no_tokens
@gives(MineSchema)
def try_out(address_id: UUID) -> Any:
    """Send a test there, or the code once more; an address that was marked as not working is tried anew."""
    addresses.send_again(addresses.own_address(address_id, actor=current_user))
    return _mine()


@me.delete("/addresses/<uuid:address_id>")
@no_tokens
@gives(MineSchema)
def remove(address_id: UUID) -> Any:
    """Forget an address of mine."""
    addresses.remove(addresses.own_address(address_id, actor=current_user), actor=current_user)
    return _mine()


# Administrators -------------------------------------------------------------------------------------------------------


@admin.get("/deliveries")
@gives(DeliveryPageSchema)
@takes(TroubleQuerySchema, location="query")
def troubled(state: str | None, cursor: str | None) -> Any:
    """What could not be brought, newest first."""
    require(current_user, Role.ADMINISTRATOR)
    page = troubles.deliveries(state=state, cursor=cursor)
    return {"items": page.rows, "next": page.next, "counts": troubles.counts()}


@admin.post("/deliveries/<uuid:delivery_id>/retry")
@no_tokens
@gives(DeliverySchema)
def retry(delivery_id: UUID) -> Any:
    """Try once more to bring it."""
    delivery = deliveries.retry(delivery_id, actor=current_user)
    return {"delivery": delivery}


def _groups() -> dict[str, Any]:
    return {"items": [owned.address for owned in troubles.groups()]}


@admin.get("/channels")
@gives(GroupsSchema)
def groups() -> Any:
    """The robots and webhooks of all units."""
    require(current_user, Role.ADMINISTRATOR)
    return _groups()


@admin.post("/channels")
@no_tokens
@gives(GroupSchema, 201)
@takes(NewGroupSchema)
def add_group(channel: str, target: str, unit_code: str | None, department: str | None, least: Urgency) -> Any:
    """Enter a robot or a webhook of a unit."""
    return addresses.add_group(
        Channel(channel), target, actor=current_user, unit_code=unit_code, department=department, least=least
    )


@admin.post("/channels/<uuid:address_id>/test")
@no_tokens
@gives(GroupSchema)
def test_group(address_id: UUID) -> Any:
    """Send a test there; one that was marked as not working is tried anew."""
    address = addresses.any_address(address_id, actor=current_user)
    addresses.send_again(address)
    return address


@admin.post("/channels/<uuid:address_id>/enable")
@no_tokens
@gives(GroupSchema)
def enable(address_id: UUID) -> Any:
    """Say that an address works again, a person's or a group's; what is held for it goes out."""
    address = addresses.any_address(address_id, actor=current_user)
    addresses.enable(address)
    return address


@admin.delete("/channels/<uuid:address_id>")
@no_tokens
@gives(GroupsSchema)
def remove_group(address_id: UUID) -> Any:
    """Forget a group's address."""
    addresses.remove(addresses.group(address_id, actor=current_user), actor=current_user)
    return _groups()
