"""Ray cluster on this machine, whose nodes are processes that listen on 127.0.0.1."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Set before Ray is imported.
_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listen on 127.0.0.1, as on these systems
    "RAY_AUTH_MODE": "disabled",  # otherwise Ray may write a token to the home folder
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_worker_niceness": "0",  # beside busy tests, workers with the default of 15 need minutes to start and to end
    # a busy machine needs more than the defaults
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_raylet_start_wait_time_s": "60",
    # a killed node refuses connections, but would count as alive for 15 s; a slow one still has 10 s for each answer
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
}
_NODE = {
    "object_store_memory": 80 * 2**20,
    "node_ip_address": "127.0.0.1",
    "include_dashboard": False,
    "include_log_monitor": False,
}


class LocalCluster:
    """Cluster whose head runs no actors. Nodes are added and removed by the tests."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        self.nodes: list[Any] = []
        self.add_node(0, temp_dir=str(folder), no_monitor=True)
        self.address: str = self._cluster.address

    def add_node(self, cpus: int = 1, **options: Any) -> Any:
        for tries_left in (2, 1, 0):
            try:
                return self._cluster.add_node(num_cpus=cpus, **_NODE, **options)
            except Exception as error:  # a node ends if its agents take more than 15 s to start
                if not tries_left or "timed out" not in str(error):
                    raise
        return None

    def remove_node(self, node: Any) -> None:
        """Kill the processes of a node without telling the cluster."""
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@contextmanager
def ray_cluster() -> Iterator[LocalCluster]:
    """Yield a cluster without nodes for actors, with ``RAY_ADDRESS`` set."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # paths of Unix sockets must be short
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("RAY_TMPDIR", str(folder))
        (folder / "ray").mkdir()
        cluster = LocalCluster(folder)
        try:
            patch.setenv("RAY_ADDRESS", cluster.address)
            yield cluster
        finally:
            import ray

            ray.shutdown()
            cluster.close()
            for _ in range(50):  # killed processes may still be writing
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    break
                time.sleep(0.1)
