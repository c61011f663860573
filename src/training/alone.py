"""The policy of a run without its environment, which the run's record has the sizes of."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from components.transforms import complete_scheme
from configuration.arguments import Arguments
from controllers import REGISTRY as CONTROLLERS
from controllers.contract import MAC
from policies.independent import IndependentPolicy
from pymarl.controllers import mac_of, noise_size
from pymarl.policies import policy_of
from training.build import make_scheme
from training.task import TaskSizes
from utils.errors import UserError
from utils.settings import Settings


class Alone(NamedTuple):
    """A policy, and what loads and saves its networks."""

    policy: IndependentPolicy
    mac: MAC


def untrained(config: Settings, task: TaskSizes) -> Alone:
    """The policy that these settings name, on the CPU, with networks that know nothing yet."""
    args = Arguments(**{**config, "use_cuda": False}, device="cpu")
    task.put_on(args)
    kind = CONTROLLERS[args.mac]
    scheme, groups, preprocess = make_scheme(task, noise_size(kind, args))
    mac = mac_of(kind(complete_scheme(scheme, preprocess or {}), groups, args))
    policy = policy_of(mac, reads="rows")
    if not isinstance(policy, IndependentPolicy):
        raise UserError(
            f"mac={args.mac} was written for PyMARL and chooses from batches of whole episodes, so "
            "it cannot act alone. Call pymarlk.evaluate, which plays episodes."
        )
    return Alone(policy, mac)


def policy_of_run(config: Settings, task: TaskSizes, networks: Path) -> IndependentPolicy:
    """With the networks that are in a checkpoint's folder."""
    policy, mac = untrained(config, task)
    mac.load_models(str(networks))
    return policy
