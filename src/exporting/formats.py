"""The formats that policies are written in, and how each is run again."""

from __future__ import annotations

import copy
import importlib
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from exporting.greedy import Decision, GreedyPolicy, Slot
from utils.errors import UserError
from utils.files import reason
from utils.program import install

Function = Callable[[Slot], Decision]


@dataclass(frozen=True)
class Format:
    """How a policy is written, and read back as a function to compare with."""

    file: str
    write: Callable[[GreedyPolicy, Path], None]
    read: Callable[[Path, GreedyPolicy], Function]


def package(name: str) -> ModuleType:
    """One that the extra `export` brings."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"This format needs the package {name.partition('.')[0]} ({error}): {install('export')}"
        ) from error


def refuse_chance(policy: GreedyPolicy) -> None:
    if policy.by_chance:
        raise UserError(
            "mac=cem_mac searches for its actions with random samples, so they are no function of "
            "what agents observe. Type --format=safetensors, which pymarlk.load_policy reads, or "
            "train a policy instead, as --config=facmac does."
        )


def write_torchscript(policy: GreedyPolicy, path: Path) -> None:
    refuse_chance(policy)
    example = policy.first_slot(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, on shapes that it takes for constants
        traced = torch.jit.trace(policy, tuple(example.given().values()), check_trace=False)
    traced.save(str(path))


def read_torchscript(path: Path, policy: GreedyPolicy) -> Function:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have torch.export
        module = torch.jit.load(str(path))
    return lambda slot: Decision(*module(*slot.given().values()))


def write_onnx(policy: GreedyPolicy, path: Path) -> None:
    refuse_chance(policy)
    package("onnxscript")
    example = policy.first_slot(2).given()
    episodes = torch.export.Dim("batch", min=1)
    log = logging.getLogger("torch.onnx")
    log.setLevel(logging.ERROR)  # else it says which packages for pictures it does without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            policy,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=list(Decision._fields),
            dynamic_shapes=tuple({0: episodes} for _ in example),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def read_onnx(path: Path, policy: GreedyPolicy) -> Function:
    session = package("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def decide(slot: Slot) -> Decision:
        given = {name: value.numpy() for name, value in slot.given().items()}
        return Decision(*(torch.from_numpy(value) for value in session.run(None, given)))

    return decide


def write_safetensors(policy: GreedyPolicy, path: Path) -> None:
    """The weights alone, by PyMARL's names."""
    tensors = {name: value.contiguous() for name, value in policy.agent.state_dict().items()}
    package("safetensors.torch").save_file(tensors, str(path))


def load_safetensors(agent: nn.Module, path: Path) -> None:
    """Into networks of the same settings."""
    load = package("safetensors.torch").load_file
    try:
        agent.load_state_dict(load(str(path)))
    except (OSError, RuntimeError, package("safetensors").SafetensorError) as error:
        raise UserError(f"{path} cannot be loaded: {reason(error)}. Export it anew.") from error


def read_safetensors(path: Path, policy: GreedyPolicy) -> Function:
    twin = copy.deepcopy(policy)
    load_safetensors(twin.agent, path)
    return lambda slot: twin(**slot.given())


FORMATS = {
    "onnx": Format("policy.onnx", write_onnx, read_onnx),
    "torchscript": Format("policy.pt", write_torchscript, read_torchscript),
    "safetensors": Format("policy.safetensors", write_safetensors, read_safetensors),
}
