"""Every write can be repeated: after an error nobody knows whether it was made."""

from __future__ import annotations

import math
from typing import Any

import bson
import pytest
from pymongo.errors import AutoReconnect

from configuration.mongo import parse_address
from mongo.curves import StoredCurves
from mongo.store import MOST_INFO, Store, fitting
from tests.mongo.server import Mongod
from utils.errors import UserError


def curve(*values: float) -> dict[str, list[Any]]:
    steps = list(range(len(values)))
    return {"steps": steps, "values": list(values), "timestamps": [None for _ in values]}


class LosesConfirmations:
    """A collection whose writes are made and then reported as failed, every other time."""

    def __init__(self, collection: Any) -> None:
        self._collection, self._calls = collection, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def bulk_write(self, *args: Any, **kwargs: Any) -> Any:
        done = self._collection.bulk_write(*args, **kwargs)
        self._calls += 1
        if self._calls % 2:
            raise AutoReconnect("the server was killed after the write")
        return done


def stored(mongod: Mongod, database: str) -> dict[str, list[float]]:
    found = list(mongod.database(database).metrics.find({"run_id": 1}))
    assert len({document["name"] for document in found}) == len(found)
    return {document["name"]: document["values"] for document in found}


def test_points_whose_confirmation_was_lost_are_there_once(mongod: Mongod) -> None:
    collection = LosesConfirmations(mongod.database("confirmations").metrics)
    writer = StoredCurves(collection, 1)
    for length in range(1, 8):
        curves = {"a": curve(*range(length)), "b": curve(*[math.nan] * (length // 2))}
        for _ in range(2):
            try:
                writer.put(curves)
            except AutoReconnect:
                continue

    found = stored(mongod, "confirmations")
    assert found["a"] == [0, 1, 2, 3, 4, 5, 6]
    assert [math.isnan(value) for value in found["b"]] == [True] * 3


def test_a_curve_that_took_another_way_is_replaced(mongod: Mongod) -> None:
    collection = mongod.database("ways").metrics
    StoredCurves(collection, 1).put({"a": curve(1, 2, 3), "b": curve(1)})
    writer = StoredCurves(collection, 1)
    writer.put({"a": curve(1, 2, 4)})
    assert stored(mongod, "ways") == {"a": [1, 2, 4], "b": [1]}

    writer.drop_others(["a"])
    assert stored(mongod, "ways") == {"a": [1, 2, 4]}


def test_a_writer_that_is_out_of_step_finds_back(mongod: Mongod) -> None:
    collection = mongod.database("step").metrics
    one, other = StoredCurves(collection, 1), StoredCurves(collection, 1)
    one.put({"a": curve(1)})
    other.put({"a": curve(1, 2)})
    with pytest.raises(Exception, match="changed"):
        one.put({"a": curve(1, 2, 3)})
    one.put({"a": curve(1, 2, 3)})

    assert stored(mongod, "step") == {"a": [1, 2, 3]}


def test_a_number_belongs_to_one_run(mongod: Mongod) -> None:
    store = Store(parse_address(mongod.address("numbers")))
    assert store.next_number() == 1
    assert store.reserve(1, "mine")
    assert store.reserve(1, "mine")  # asked again, as after a lost confirmation
    assert not store.reserve(1, "yours")
    assert store.claim(1, "yours") == 2
    assert store.claim(1, "yours") == 2
    assert store.next_number() == 3
    store.close()


def test_a_document_that_is_too_large_is_cut_to_fit(mongod: Mongod) -> None:
    """A server refuses 16 MB; the curves are elsewhere, and the last output matters most."""
    store = Store(parse_address(mongod.address("large")))
    info = {"loss": [0.5] * 1_500_000, "environment": {"name": "grid"}, "metrics": [{"name": "x"}]}
    store.put_run(1, {"info": info, "captured_out": "x" * 20_000_000 + "end"})

    document = mongod.database("large").runs.find_one({"_id": 1})
    assert document["info"]["environment"] == {"name": "grid"}
    assert document["info"]["metrics"] == [{"name": "x"}]
    assert "loss" not in document["info"]
    assert document["captured_out"].endswith("xend")
    assert len(bson.encode(document)) < MOST_INFO
    store.close()


def test_small_infos_stay_as_they_are() -> None:
    assert fitting({"loss": [0.5]}) == {"loss": [0.5]}


@pytest.mark.parametrize("rest", ["host:port/x", "host/no$name", "host/no%20name"])
def test_an_address_that_the_driver_refuses_is_a_mistake_of_the_user(rest: str) -> None:
    with pytest.raises(UserError, match="cannot be") as refusal:
        Store(parse_address(f"mongodb://me:geheim@{rest}"))
    assert "geheim" not in str(refusal.value)
