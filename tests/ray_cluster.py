"""A Ray cluster of two nodes on this machine, as processes that can be killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from machine.ray_cluster import STORE_BYTES, import_ray


@contextmanager
def two_nodes(cpus: tuple[int, int] = (1, 1)) -> Iterator[Any]:
    """The cluster; `cluster.address` is where to connect, `kill_second_node(cluster)` what for."""
    ray = import_ray()
    from ray.cluster_utils import Cluster

    settings = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus[0], **settings})
    try:
        cluster.add_node(num_cpus=cpus[1], object_store_memory=STORE_BYTES)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def kill_second_node(cluster: Any) -> None:
    """As when its machine loses power."""
    (second,) = cluster.worker_nodes
    cluster.remove_node(second, allow_graceful=False)
