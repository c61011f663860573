"""Random batches of episodes, in any tree's own EpisodeBatch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import problems  # noqa: F401 - before torch, for the number of threads
import torch


def layout(args: SimpleNamespace, one_hot: Any) -> tuple[dict[str, Any], dict[str, int], Any]:
    """Scheme, groups and preprocess, where `one_hot` is the tree's transform of that name."""
    N, A = args.n_agents, args.n_actions
    discrete = args.action_kind == "discrete"
    scheme = {
        "state": {"vshape": args.state_shape},
        "obs": {"vshape": args.obs_shape, "group": "agents"},
        "actions": {
            "vshape": (1,) if discrete else (A,),
            "group": "agents",
            "dtype": torch.long if discrete else torch.float32,
        },
        "avail_actions": {"vshape": (A,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    preprocess = {"actions": ("actions_onehot", [one_hot(out_dim=A)])} if discrete else None
    return scheme, {"agents": N}, preprocess


def make_batch(args: SimpleNamespace, seed: int = 0) -> Any:
    """Of the tree that can be imported; discrete episodes have different lengths if `ragged`."""
    from components.episode_buffer import EpisodeBatch
    from components.transforms import OneHot

    B, T, N, A = args.batch_size, args.episode_limit, args.n_agents, args.n_actions
    discrete = args.action_kind == "discrete"
    scheme, groups, preprocess = layout(args, OneHot)
    batch = EpisodeBatch(scheme, groups, B, T + 1, preprocess=preprocess)
    random = torch.Generator().manual_seed(seed)
    for row in range(B):
        share = 0.4 + 0.6 * float(torch.rand(1, generator=random)) if args.ragged and row else 1.0
        length = max(1, int(T * share))
        here = {"bs": slice(row, row + 1)}
        avail = (torch.rand(1, length + 1, N, A, generator=random) < 0.5).int()
        avail[..., 0] = 1
        drawn = torch.multinomial(avail.reshape(-1, A).float(), 1, generator=random)
        actions = (
            drawn.reshape(1, length + 1, N, 1)
            if discrete
            else torch.rand(1, length + 1, N, A, generator=random) * 2 - 1
        )
        seen = {
            "state": torch.randn(1, length + 1, args.state_shape, generator=random),
            "obs": torch.randn(1, length + 1, N, args.obs_shape, generator=random),
            "avail_actions": avail,
        }
        batch.update(seen, ts=slice(0, length + 1), **here)
        batch.update({"actions": actions}, ts=slice(0, length + 1), mark_filled=False, **here)
        ends = torch.zeros(1, length, 1, dtype=torch.uint8)
        ends[0, -1] = 1 if discrete else 0
        paid = {"reward": torch.randn(1, length, 1, generator=random), "terminated": ends}
        batch.update(paid, ts=slice(0, length), mark_filled=False, **here)
    return batch
