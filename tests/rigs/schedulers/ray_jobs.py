"""What the jobs of these tests run on Ray: one small job per way to fail. `ray_jobs.py KIND-WAY`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

import ray

MEBIBYTE = 1 << 20
# Ray copies what workers wrote to the driver's terminal about twice a second, and stops when the driver ends.
COPIED_SECONDS = 1.5


def fail(way: str) -> None:
    print("step 1 loss 2.31", flush=True)
    if way == "segv":
        ctypes.string_at(0)
    if way == "abort":
        os.abort()
    if way == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "told":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
    if way == "raises":
        raise ValueError("expected 3 channels, got 4")
    if way == "exits":
        os._exit(3)
    if way == "leaves":
        sys.exit(4)
    if way == "hungry":
        held = []
        for _ in range(256):
            held.append(bytearray(os.urandom(MEBIBYTE)) * 16)
            time.sleep(0.02)


@ray.remote(max_retries=0, num_cpus=0)
def train(way: str) -> None:
    fail(way)


@ray.remote
class Trainer:
    def step(self, way: str) -> None:
        fail(way)

    def wait(self) -> None:
        time.sleep(60)


@ray.remote
class Unready:
    def __init__(self) -> None:
        raise RuntimeError("no checkpoint under /data/run7")

    def step(self, way: str) -> None:
        fail(way)


def actor(way: str) -> None:
    made = Trainer.remote()
    ray.get(made.__ray_ready__.remote())
    if way == "removed":
        ray.kill(made)
        time.sleep(0.5)
    ray.get(made.step.remote(way))


def node(way: str) -> None:
    """A node whose raylet is killed under an actor."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = cluster.add_node(num_cpus=1, num_gpus=2)
    ray.init(cluster.address)
    made = Trainer.options(num_gpus=1).remote()
    ray.get(made.__ray_ready__.remote())
    waiting = made.wait.remote()
    cluster.remove_node(other, allow_graceful=False)
    ray.get(waiting)


def main(kind: str, way: str) -> None:
    if kind == "node":
        node(way)
    ray.init(address=os.environ.get("RAY_ADDRESS", "local"))
    if kind == "task":
        ray.get(train.remote(way))
    elif kind == "actor":
        actor(way)
    elif kind == "unready":
        ray.get(Unready.remote().step.remote(way))
    elif kind == "gpu":
        ray.get(train.options(num_gpus=1).remote(way), timeout=8)


if __name__ == "__main__":
    try:
        main(*sys.argv[1].split("-"))
    finally:
        time.sleep(COPIED_SECONDS)
