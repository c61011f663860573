"""What a database of Sacred's is made of."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection

Document = dict[str, Any]  # by name: JSON's values, dates, bytes and ids
Client = MongoClient[Document]
Documents = Collection[Document]
