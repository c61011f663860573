"""Runners with a fresh controller, as a run would build them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.episode_buffer import EpisodeBatch
from controllers.basic_controller import BasicMAC
from envs import REGISTRY as ENVS
from runners import REGISTRY as RUNNERS
from runners.vector_runner import VectorRunner
from tests.data import fragile
from tests.make import make_args, quiet_logger
from training.build import add_sizes, make_scheme
from utils.seeding import seed_everything

for name in fragile.__all__:
    ENVS[name] = getattr(fragile, name)
PLUGIN = str(Path(__file__).with_name("register_fragile.py"))


def make_runner(runner: str = "episode", mac: bool = True, **settings: Any) -> VectorRunner:
    """A runner with a fresh controller; everything random is the same each time."""
    settings = {"env": "grid", "env_args": {}, "plugins": [PLUGIN], **settings}
    args = make_args(runner=runner, **settings)
    seed_everything(args.seed)
    made = RUNNERS[runner](args=args, logger=quiet_logger())
    info = made.get_env_info()
    scheme, groups, preprocess = make_scheme(add_sizes(args, info))
    full = EpisodeBatch(scheme, groups, 1, 1, preprocess=preprocess).scheme
    made.setup(scheme, groups, preprocess, BasicMAC(full, groups, args))
    return made
