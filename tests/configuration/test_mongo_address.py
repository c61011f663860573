from __future__ import annotations

import pytest

from configuration import config_text, load_config
from configuration.mongo import Address, masked, parse_address
from utils.errors import UserError

BASE = ["--config=qmix", "--env-config=two_step"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db", Address("mongodb://localhost:27017", "db")),
        ("host:1234:db", Address("mongodb://host:1234", "db")),
        ("host:1234", Address("mongodb://host:1234", "sacred")),
        ("a.b.org:1234:db.mine!40", Address("mongodb://a.b.org:1234", "db", "mine")),
        ("mongodb://host/db", Address("mongodb://host/db", "db")),
        ("mongodb://u:p@h1,h2/db?w=2", Address("mongodb://u:p@h1,h2/db?w=2", "db")),
        ("mongodb+srv://host", Address("mongodb+srv://host", "sacred")),
        ("mongodb://host/db.mine", Address("mongodb://host/db.mine", "db", "mine")),
        ("mongodb://u:p#w@host/db", Address("mongodb://u:p#w@host/db", "db")),
        ("mongodb://u:p[w@host/db", Address("mongodb://u:p[w@host/db", "db")),
    ],
)
def test_sacreds_forms_and_urls(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host:port:db", "http://host/db", "me:geheim@host:1:db"])
def test_other_forms_are_refused_with_those_that_are_not(text: str) -> None:
    with pytest.raises(UserError, match="host:port:database or mongodb://") as refusal:
        parse_address(text)
    assert "geheim" not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["mongodb://u:geheim", "mongodb://u:geheim@/db", "mongodb://u:ge/heim", "u:geheim:db"]
)
def test_an_address_without_a_host_does_not_show_its_password(text: str) -> None:
    from dashboard.database import DatabaseRuns
    from mongo.store import Store

    for refused in (lambda: Store(parse_address(text)), lambda: DatabaseRuns(text)):
        with pytest.raises(UserError, match=r"mongo=.*cannot be") as refusal:
            refused()
        assert "heim" not in str(refusal.value)


def test_runs_are_not_overwritten() -> None:
    with pytest.raises(UserError, match=r"resume=7 goes on"):
        parse_address("host:1:db.runs:7")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mongodb://u:p:w/@d@h:1/db", "mongodb://u:***@h:1/db"),
        ("mongodb://u@h/db", "mongodb://u@h/db"),
        ("mongodb://u@x.org:geheim@h/db", "mongodb://u@x.org:***@h/db"),
        ("mongodb://:geheim@h/db", "mongodb://:***@h/db"),
        ("mongodb://u/v:geheim@h/db", "mongodb://u/v:***@h/db"),
        ("mongodb://u://geheim@h/db", "mongodb://u:***@h/db"),
        ("u@x.org:geheim@h:1:db", "u@x.org:***@h:1:db"),
        ("u:gehe//im@h:1:db", "u:***@h:1:db"),
        ("mongo=mongodb://u:geheim@h/db", "mongo=mongodb://u:***@h/db"),
        ("mongodb://h:1,i:2/db", "mongodb://h:1,i:2/db"),
        ("mongodb://h/db?tlsCertificateKeyFilePassword=x&w=1",
         "mongodb://h/db?tlsCertificateKeyFilePassword=***&w=1"),
        ("host:1234:db", "host:1234:db"),
        ("mongodb://u:geheim", "mongodb://u:***"),
        ("mongodb://u:geheim/db", "mongodb://u:***"),
        ("mongodb+srv://u:7geheim?w=1", "mongodb+srv://u:***"),
        ("mongodb://h:1,u:geheim", "mongodb://h:1,u:***"),
        ("mongo=mongodb://:ge/heim", "mongo=mongodb://:***"),
        ("mongodb://[::1]:27017/db", "mongodb://[::1]:27017/db"),
        ("mongodb://h:1/db?appName=a:b", "mongodb://h:1/db?appName=a:b"),
    ],
)  # fmt: skip
def test_passwords_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "words", [["-m", "h:1:d"], ["-mh:1:d"], ["--mongo_db=h:1:d"], ["with", "mongo=h:1:d"]]
)
def test_sacreds_option_is_the_setting(words: list[str]) -> None:
    loaded = load_config([*BASE, *words])

    assert loaded.config["mongo"] == loaded.mongo == "h:1:d"
    assert loaded.sacred_options == {}


@pytest.mark.parametrize("word", ["--mongo=mongodb://u:geheim@h/d", "mongodb://u:geheim@h/d"])
def test_what_is_typed_wrongly_is_said_without_the_password(word: str) -> None:
    with pytest.raises(UserError) as refusal:
        load_config([*BASE, word])
    assert "geheim" not in str(refusal.value)


def test_brackets_that_do_not_close_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be"):
        parse_address("mongodb://u:geheim@[::1/db")


def test_settings_never_hold_the_password() -> None:
    loaded = load_config([*BASE, "mongo=mongodb://u:geheim@h/d"])

    assert loaded.mongo == "mongodb://u:geheim@h/d"
    assert loaded.config["mongo"] == "mongodb://u:***@h/d"
    assert "geheim" not in config_text(loaded) + repr(loaded)


def test_a_saved_address_without_its_password_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = {**load_config(BASE).config, "mongo": "mongodb://u:***@h/d"}

    (warning,) = load_config(["resume=1"], base=base).warnings
    assert "PYMARLK_MONGO" in warning
    monkeypatch.setenv("PYMARLK_MONGO", "mongodb://u:geheim@h/d")
    assert load_config(["resume=1"], base=base).mongo == "mongodb://u:geheim@h/d"
