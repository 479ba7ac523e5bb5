"""Every write on addresses and preferences: one's own, and those of units' groups, which are an administrator's.

Nobody gives us a web address of their own choosing: people have their mailbox, which they prove, and their own phone. Robots
and webhooks belong to units; an administrator enters them.
"""

import hmac
import secrets
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov.db import session, utcnow
from gridgov.errors import Conflict, Invalid, NotFound, TooMany
from gridgov.grids import queries as grids
from gridgov.i18n import _
from gridgov.notices import deliveries, messages, sealing, sender, settings
from gridgov.notices.models import GROUP, Address, Channel, Delivery, Preference, State, Urgency
from gridgov.people import actions as people, queries
from gridgov.people.models import Department, Person, Role

MOST = 5
CODE_LASTS = timedelta(minutes=30)
TESTS_APART = timedelta(seconds=30)


def set_preferences(
    actor: Person, *, high: list[str], normal: list[str], low: list[str], quiet_from: time, quiet_until: time, digest: bool,
    digest_hour: int,
) -> Preference:  # fmt: skip
    """How somebody wants to be told outside the house, from now on. What is held already stays held until its time."""
    wanted = session.get(Preference, actor.id) or Preference(person_id=actor.id)
    wanted.high, wanted.normal, wanted.low = sorted(set(high)), sorted(set(normal)), sorted(set(low))
    wanted.quiet_from, wanted.quiet_until = quiet_from, quiet_until
    wanted.digest, wanted.digest_hour = digest, digest_hour
    session.add(wanted)
    session.flush()
    return wanted


def add_own(channel: Channel, target: str, *, actor: Person) -> Address:
    """Enter one's mailbox, to which a code is sent, or one's own phone, which is proven by signing in with it.

    Raises Invalid by field, Conflict for one that is entered already.
    """
    if not settings.current().offers(channel):
        raise Invalid(_("This way is not offered here."), field="channel")
    if channel == Channel.MAIL and not target:
        raise Invalid(_("Please enter your e-mail address."), field="target")
    if len(mine := own(actor)) >= MOST:
        raise Invalid(
            _("At most %(most)s addresses. Remove one first.", most=MOST), field="target", code="too_many_addresses"
        )
    target = target.strip() if channel == Channel.MAIL else ""
    mark = sealing.fingerprint(channel, target.lower())
    if any(address.fingerprint == mark for address in mine):
        raise Conflict(_("This address is entered already."), code="address_known", field="target")
    now = utcnow()
    address = Address(
        person_id=actor.id, channel=channel, fingerprint=mark, least=Urgency.LOW, created_at=now,
        target=sealing.seal(target) if target else None, hint=_masked(target) if target else _masked_phone(actor.phone),
        verified_at=now if channel == Channel.SMS else None,
    )  # fmt: skip
    _enter(address)
    if channel == Channel.MAIL:
        _send_code(address)
    return address


def confirm(address_id: UUID, digits: str, *, actor: Person) -> Address:
    """Prove a mailbox by the code that was sent to it. Raises NotFound, or Invalid for a wrong or old code.

    How often somebody may guess in its half hour is the boundary's to limit: five times a minute for one in a million.
    """
    address = own_address(address_id, actor=actor)
    session.refresh(address, with_for_update={"key_share": True})
    if address.verified_at is not None:
        return address
    if address.code is None or address.code_until is None or address.code_until < utcnow():
        raise Invalid(_("The code has expired. Have a new one sent."), field="code", code="code_expired")
    if not hmac.compare_digest(sealing.unseal(address.code), digits.strip()):
        raise Invalid(_("This is not the code."), field="code", code="code_wrong")
    address.verified_at, address.code, address.code_until = utcnow(), None, None
    session.flush()
    return address


def send_again(address: Address) -> None:
    """Send a test, or a new code to a mailbox that is not proven. Raises TooMany when the last was just now."""
    session.refresh(address, with_for_update={"key_share": True})
    recent = sa.select(sa.func.count()).where(
        Delivery.address_id == address.id, Delivery.kind != "event",
        Delivery.created_at > utcnow() - TESTS_APART,
    )  # fmt: skip
    if session.scalar(recent):
        raise TooMany(_("One was sent just now. Please wait a moment."), retry_after_s=int(TESTS_APART.total_seconds()))
    if address.bad_since is not None:
        sender.enable(address)
    if address.verified_at is None:
        _send_code(address)
    else:
        deliveries.queue(address, "test")


def enable(address: Address) -> None:
    """Say that an address works again; what was held back for less than a day goes out."""
    session.refresh(address, with_for_update={"key_share": True})
    sender.enable(address)


def remove(address: Address, *, actor: Person) -> None:
    """Forget an address. What was still to be brought there is not; what was brought stays on record, without the address."""
    session.refresh(address, with_for_update={"key_share": True})
    now = utcnow()
    address.removed_at, address.target, address.code, address.hint = now, None, None, ""
    open_states = (State.WAITING, State.HELD, State.FAILED)
    session.execute(
        sa.update(Delivery)
        .where(Delivery.address_id == address.id, Delivery.state.in_(open_states))
        .values(state=State.VOID, due_at=None, ended_at=now)
    )
    session.flush()
    if address.person_id is None:
        people.record("remove_channel", None, actor=actor, address_id=str(address.id), channel=str(address.channel))


def add_group(
    channel: Channel, target: str, *, actor: Person, unit_code: str | None = None, department: str | None = None,
    least: Urgency = Urgency.NORMAL,
) -> Address:  # fmt: skip
    """Enter the robot of a unit's group, or a webhook of its own program. An administrator's. Raises Invalid by field."""
    people.require(actor, Role.ADMINISTRATOR)
    if channel not in GROUP:
        raise Invalid(_("This is no way to a group."), field="channel")
    target = target.strip()
    if not messages.well_formed(channel, target):
        raise Invalid(_("This is not the address that the provider shows for such a robot."), field="target")
    owner = _owner(unit_code, department, actor)
    address = Address(
        **owner, channel=channel, target=sealing.seal(target), fingerprint=sealing.fingerprint(channel, target),
        hint=f"…{target.rstrip('/')[-4:]}", least=least, created_at=utcnow(), verified_at=utcnow(),
    )  # fmt: skip
    _enter(address)
    people.record("add_channel", None, actor=actor, address_id=str(address.id), channel=str(channel))
    return address


def own(actor: Person) -> list[Address]:
    """One's addresses, oldest first."""
    query = sa.select(Address).where(Address.person_id == actor.id, Address.removed_at.is_(None))
    return list(session.scalars(query.order_by(Address.id)))


def own_address(address_id: UUID, *, actor: Person) -> Address:
    """One of one's own addresses. Raises NotFound for anybody else's."""
    address = session.get(Address, address_id)
    if address is None or address.person_id != actor.id or address.removed_at is not None:
        raise NotFound(_("There is no such address."))
    return address


def any_address(address_id: UUID, *, actor: Person) -> Address:
    """An address of anybody's, for administrators. For everybody else there is none: NotFound."""
    address = session.get(Address, address_id)
    if Role.ADMINISTRATOR not in queries.roles(actor) or address is None or address.removed_at is not None:
        raise NotFound(_("There is no such address."))
    return address


def group(address_id: UUID, *, actor: Person) -> Address:
    """A group's address, for administrators; people's own are theirs to remove. Raises NotFound."""
    address = any_address(address_id, actor=actor)
    if address.person_id is not None:
        raise NotFound(_("There is no such address."))
    return address


def _owner(unit_code: str | None, department: str | None, actor: Person) -> dict[str, Any]:
    if (unit_code is None) == (department is None):
        raise Invalid(_("Choose a grid or a department."), field="unit_code")
    if unit_code is not None:
        place = grids.place(unit_code)
        if place is None:
            raise Invalid(_("This grid does not exist any more."), field="unit_code")
        people.require(actor, Role.ADMINISTRATOR, grid_code=unit_code)
        return {"unit_code": unit_code}
    found = session.scalar(
        sa.select(Department).where(Department.code == department, Department.closed_at.is_(None))
    )
    if found is None:
        raise Invalid(_("There is no such department."), field="department")
    people.require(actor, Role.ADMINISTRATOR, grid_code=found.grid_code)
    return {"department_id": found.id}


def _enter(address: Address) -> None:
    try:
        with session.begin_nested():
            session.add(address)
            session.flush()
    except IntegrityError:
        raise Conflict(_("This address is entered already."), code="address_known", field="target") from None


def _send_code(address: Address) -> None:
    address.code = sealing.seal(f"{secrets.randbelow(1_000_000):06d}")
    address.code_until = utcnow() + CODE_LASTS
    session.flush()
    deliveries.queue(address, "code")


def _masked(mailbox: str) -> str:
    """What is shown of a mailbox: l***@example.cn."""
    name, _at, domain = mailbox.rpartition("@")
    return f"{name[:1]}***@{domain}"[:60]


def _masked_phone(phone: str) -> str:
    return f"{phone[:3]}****{phone[-4:]}"
