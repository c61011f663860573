"""Runners by name: what `runner:` in a config may say."""

from utils.registry import Registry

REGISTRY = Registry(
    "runner",
    {
        "episode": "runners.episode_runner:EpisodeRunner",
        "parallel": "runners.parallel_runner:ParallelRunner",
        "ray": "runners.ray_runner:RayRunner",
        "batched": "runners.batched_runner:BatchedRunner",
    },
)
