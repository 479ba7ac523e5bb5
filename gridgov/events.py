"""Named events between packages that do not know each other. Subscribers run inside the publisher's transaction."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

_subscribers: dict[str, list[Callable[..., None]]] = defaultdict(list)


def subscribe(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call the decorated function, by keyword, whenever `name` is published. Subscribing twice counts once."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        if function not in _subscribers[name]:
            _subscribers[name].append(function)
        return function

    return add


def publish(name: str, **what: Any) -> None:
    """Tell every subscriber of `name`, in the order they subscribed; an error in one is the publisher's error."""
    for function in _subscribers[name]:
        function(**what)
