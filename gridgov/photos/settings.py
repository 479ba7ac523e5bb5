"""What the configuration says about photos, for this process. Nothing is opened before the first photo."""

from dataclasses import dataclass

from gridgov.config import Config
from gridgov.photos.storage import Store


@dataclass(frozen=True)
class Settings:
    """The store and the limits in force."""

    store: Store
    max_bytes: int
    max_pixels: int


_current: list[Settings] = []


def use(config: Config) -> None:
    """Take the settings from `config` for this process. Raises ConfigError for a wrong storage address."""
    store = Store(config.photos_url, access_key=config.s3_access_key, secret_key=config.s3_secret_key)
    _current[:] = [Settings(store, config.photo_max_bytes, config.photo_max_pixels)]


def current() -> Settings:
    """The settings in force; `use` must have been called."""
    if not _current:
        raise RuntimeError("photos.settings.use was not called")
    return _current[0]
