"""What state machines of hypothesis have in common: the real database, each run in one transaction that is rolled back."""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from gridgov import db
from tests import seed, slow_clock


def patient(examples: int, steps: int) -> settings:
    """So many runs of so many steps, always the same ones, however slow the machine."""
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True,
        phases=[Phase.generate],
    )  # fmt: skip


class RolledBack(RuleBasedStateMachine):
    """A machine on the small test city with a clock of its own, in whole minutes. Commits are savepoints."""

    engine: ClassVar[sa.Engine]

    def __init__(self, first: datetime) -> None:
        super().__init__()
        self.connection = self.engine.connect()
        self.outer = self.connection.begin()
        db.session.remove()
        db.session.configure(bind=self.connection, join_transaction_mode="create_savepoint")
        self.city = seed.City()
        self.set_minute(slow_clock.minute(first))

    def teardown(self) -> None:
        db.session.remove()
        self.outer.rollback()
        self.connection.close()
        db.session.configure(bind=self.engine, join_transaction_mode="conditional_savepoint")

    def set_minute(self, now: int) -> None:
        """Move the clock."""
        self.now = now
        with db.transaction():
            db.set_clock(self.moment())

    def moment(self) -> datetime:
        """The time it is."""
        return slow_clock.moment(self.now * 60)
