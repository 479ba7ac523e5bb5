"""Settings: read from GRIDGOV_* variables, and everything that is wrong named at once, before anything is served."""

import dataclasses
from pathlib import Path

import pytest

from gridgov.app import create_app
from gridgov.config import ROOT, Config
from gridgov.errors import ConfigError

GOOD = {
    "GRIDGOV_DATABASE_URL": "postgresql://gridgov@db.example/gridgov",
    "GRIDGOV_REDIS_URL": "redis://redis.example:6379/0",
    "GRIDGOV_SECRET_KEY": "x" * 32,
}


def refused(**env: str) -> list[str]:
    """What is said to be wrong, one by one."""
    with pytest.raises(ConfigError) as refusal:
        Config.from_env({**GOOD, **{f"GRIDGOV_{name}": value for name, value in env.items()}})
    assert "\n" not in str(refusal.value)
    return sorted(str(refusal.value).split("; "))


def test_three_variables_are_enough():
    config = Config.from_env(GOOD)
    assert (config.database_url, config.language, config.secure_cookies) == (GOOD["GRIDGOV_DATABASE_URL"], "zh", False)
    assert (config.var, config.workflows) == (ROOT / "var", ROOT / "workflows")


def test_everything_that_is_missing_is_named_at_once():
    with pytest.raises(ConfigError) as refusal:
        Config.from_env({})
    for name in GOOD:
        assert f"{name}: not set" in str(refusal.value)


def test_everything_that_is_wrong_is_named_at_once():
    wrong = refused(
        DATABASE_URL="mysql://x", REDIS_URL="http://x", SECRET_KEY="short", LANGUAGE="fr", DB_POOL_SIZE="many",
        SECURE_COOKIES="perhaps", TRUSTED_PROXIES="-1", TILE_CRS="moon", SESSION_IDLE_S="1.5",
    )  # fmt: skip
    assert [line.split(":")[0] for line in wrong] == [
        "GRIDGOV_DATABASE_URL", "GRIDGOV_DB_POOL_SIZE", "GRIDGOV_LANGUAGE", "GRIDGOV_REDIS_URL", "GRIDGOV_SECRET_KEY",
        "GRIDGOV_SECURE_COOKIES", "GRIDGOV_SESSION_IDLE_S", "GRIDGOV_TILE_CRS", "GRIDGOV_TRUSTED_PROXIES",
    ]  # fmt: skip
    assert all(": " in line for line in wrong)


def test_a_secret_is_not_repeated_in_the_complaint():
    assert "hunter2" not in str(refused(SECRET_KEY="hunter2")[0])


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("YES", True), ("0", False), ("false", False), ("No", False)])
def test_yes_and_no_are_understood_in_several_ways(text, value):
    assert Config.from_env({**GOOD, "GRIDGOV_SECURE_COOKIES": text}).secure_cookies is value


def test_an_empty_variable_is_as_good_as_none():
    assert Config.from_env({**GOOD, "GRIDGOV_LANGUAGE": "", "GRIDGOV_DB_POOL_SIZE": ""}).language == "zh"


def test_what_the_caller_gives_wins_over_the_environment():
    assert Config.from_env({**GOOD, "GRIDGOV_LANGUAGE": "en"}, language="zh").language == "zh"


def test_a_relative_data_folder_is_made_absolute():
    config = Config.from_env({**GOOD, "GRIDGOV_VAR": "data/here"})
    assert config.var == Path.cwd() / "data" / "here"
    assert config.photos_url == (Path.cwd() / "data/here/photos").as_uri()


def test_every_number_is_read_from_its_own_variable():
    for field in dataclasses.fields(Config):
        if field.type is int:
            config = Config.from_env({**GOOD, f"GRIDGOV_{field.name.upper()}": "7"})
            assert getattr(config, field.name) == 7, field.name


def test_settings_cannot_be_changed_while_running():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config.from_env(GOOD).language = "en"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"), [("LOGIN_RATE", "often"), ("STORAGE_URL", "ftp://x"), ("LOGIN_IP_RATE", "-1 per minute")]
)
def test_what_only_a_package_understands_stops_the_boot_too(name, value, tmp_path):
    config = Config.from_env({**GOOD, f"GRIDGOV_{name}": value}, var=tmp_path)
    with pytest.raises(ConfigError, match=f"GRIDGOV_{name}"):
        create_app(config)
