"""Where replays go: SMAC does not pass it on, and games that save at once trip over each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from envs.sc2.smac import RunConfig
from utils.errors import UserError


@contextlib.contextmanager
def noting_replays(run_config: RunConfig, game: int | None) -> Iterator[list[str]]:
    """The files that pysc2 writes inside, each with the number of its game in its name.

    pysc2 makes the folder if it has just seen none, which another game may do meanwhile, and its
    names hold nothing finer than a second.
    """
    written: list[str] = []
    save = run_config.save_replay

    def note(data: bytes, replay_dir: str, prefix: str) -> str:
        try:
            os.makedirs(run_config.abs_replay_path(replay_dir), exist_ok=True)
            written.append(save(data, replay_dir=replay_dir, prefix=f"{prefix}_{game}"))
        except OSError as error:
            raise UserError(
                f"The replay cannot be written: {error}. Type env_args.replay_dir=/writable/place"
            ) from error
        return written[-1]

    run_config.save_replay = note
    try:
        yield written
    finally:
        run_config.save_replay = save
