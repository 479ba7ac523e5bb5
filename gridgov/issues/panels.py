"""What other packages show on an issue's page. They plug in a template and a function that says what stands in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gridgov.issues.models import Category, Issue
from gridgov.people.models import Person

Contents = Callable[[Person, Issue, Category], Any]
_panels: dict[str, Contents] = {}


@dataclass(frozen=True)
class Panel:
    """A template to include, and what it shows."""

    template: str
    shown: Any


def add(template: str, contents: Contents) -> None:
    """Show `template` where `contents` returns something; for most issues it must say None without asking the database."""
    _panels[template] = contents


def of(person: Person, issue: Issue, category: Category) -> list[Panel]:
    """The panels of one issue as this person sees it."""
    found = [Panel(template, contents(person, issue, category)) for template, contents in _panels.items()]
    return [panel for panel in found if panel.shown is not None]
