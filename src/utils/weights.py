"""PyMARL's `.th` files: state dicts on disk, and what to say when one does not fit."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from utils.errors import UserError


class Stateful(Protocol):
    """A network, an optimiser, or what else has weights to keep."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object: ...


def save_weights(stateful: Stateful, folder: str | Path, name: str) -> None:
    save_tensors(stateful.state_dict(), Path(folder) / name)


def save_tensors(content: object, path: Path) -> None:
    """torch.save by way of memory: a full disk then is an OSError, and no riddle of zip files."""
    data = io.BytesIO()
    torch.save(content, data)
    path.write_bytes(data.getbuffer())


def load_weights(stateful: Stateful, folder: str | Path, name: str) -> None:
    """Load `name` into a network or an optimiser, whatever device it was saved from."""
    path = Path(folder) / name
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing. Give a folder that holds {name}.") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is damaged or not a PyTorch file. Use another step: load_step=..."
        ) from error
    try:
        stateful.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} holds networks of another shape. Use the settings that it was trained with "
            "(env_args, agent, rnn_hidden_dim, obs_last_action, obs_agent_id, share_parameters, "
            f"mixer). PyTorch says: {_short(error)}"
        ) from error


def _short(error: Exception, lines: int = 4) -> str:
    return "\n".join(str(error).splitlines()[:lines])
