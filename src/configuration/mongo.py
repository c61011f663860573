"""Where the database is, as users write it, and how to show that without its password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from utils.errors import UserError

VARIABLE = "PYMARLK_MONGO"  # environment variable with the address
MASK = "***"
DATABASE, COLLECTION = "sacred", "runs"  # Sacred's own defaults
SCHEMES = ("mongodb://", "mongodb+srv://")
# [host:port:]database[.collection[:number]][!priority], Sacred's way; also host:port alone.
SHORT = re.compile(
    r"^(?:(?P<host>[\w.-]+):(?P<port>\d{1,5})(?:[:/]|$))?"
    r"(?:(?P<database>[A-Za-z_][\w-]*)(?:\.(?P<collection>\w+)(?P<overwrite>:\d+)?)?)?"
    r"(?:!-?\d+)?$"
)
# USER:PASSWORD whose host was forgotten: what stands where a port would is none.
WITHOUT_HOST = (
    r"(mongodb(?:\+srv)?://(?:[^:@/?\[]*:\d{1,5}(?=[,/?]|$))*[^:@/?\[]*):(?!\d{1,5}(?:[,/?]|$)).*"
)
FORMS = "host:port:database or mongodb://USER:PASSWORD@HOST:PORT/DATABASE"


@dataclass(frozen=True)
class Address:
    """A database and the collection of its runs."""

    url: str
    database: str = DATABASE
    collection: str = COLLECTION

    @property
    def shown(self) -> str:
        """For people and files: no password."""
        return f"{_split(self.url).netloc}/{self.database}"


def parse_address(text: str) -> Address:
    """The address in `text`; an error says which forms there are."""
    if text.startswith(SCHEMES):
        if MASK in text:
            raise UserError(f"mongo={text} has no password: {MASK} only stands in its place.")
        database, _, collection = unquote(_split(text).path.strip("/")).partition(".")
        return Address(text, database or DATABASE, collection or COLLECTION)
    match = SHORT.match(text)
    if match is None or not text:
        shown = re.sub(r"^([^:@]*):(?!\d{1,5}(?:[:/!]|$))[^:@]*", rf"\1:{MASK}", masked(text))
        raise UserError(f"mongo={shown} cannot be. Type {FORMS}.")
    if match["overwrite"]:
        raise UserError(
            f"mongo={text} names a run to overwrite, which is never done. Leave out "
            f"'{match['overwrite']}'; resume={match['overwrite'][1:]} goes on with a run."
        )
    place = f"{match['host']}:{match['port']}" if match["host"] else "localhost:27017"
    return Address(
        f"mongodb://{place}", match["database"] or DATABASE, match["collection"] or COLLECTION
    )


def _split(url: str) -> SplitResult:
    """Its parts but for the password, whose characters might part it elsewhere."""
    try:
        return urlsplit(masked(url))
    except ValueError as error:
        raise UserError(f"mongo={masked(url)} cannot be ({error}). Type {FORMS}.") from error


def masked(text: str) -> str:
    """`text` without the password and other secrets of an address.

    As users type it: its name or password may have signs that should have been escaped.
    """
    text = re.sub(r"(^(?!.*mongodb(?:\+srv)?://)|//)([^:]*):.*@", rf"\1\2:{MASK}@", text)
    if "@" not in text:
        text = re.sub(WITHOUT_HOST, rf"\1:{MASK}", text)
    secrets = r"(?i)([?&][^=&]*(?:password|token|authmechanismproperties)[^=&]*=)[^&]*"
    return re.sub(secrets, rf"\1{MASK}", text)


def from_environment() -> str | None:
    return os.environ.get(VARIABLE) or None


def usable(text: str | None) -> str | None:
    """An address that was saved with a run; None if its password has been left out."""
    return None if text is None or MASK in text else text
