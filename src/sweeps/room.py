"""Whether the machines have room for the runs of a sweep, and for how many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.replay.memory import human
from machine.resources import usable_cores
from sweeps.memory import WAYS_OUT, Need
from utils.errors import UserError

Resources = Mapping[str, float]


def check_cores(cpus: float, address: str) -> None:
    """Refuse what this machine has no room for, before the seconds that Ray takes to start."""
    here = usable_cores()
    if not address and cpus > here:
        raise UserError(
            f"--cpus={cpus:g} cannot be: it is what each run gets, and this machine has {here} "
            f"cores for a process. Type --cpus={here} or fewer, or name a cluster: --address=..."
        )


@dataclass(frozen=True)
class Room:
    """What Ray has, machine by machine, and what each run takes beside its memory."""

    machines: Sequence[Resources]
    cpus: float
    gpus: float

    def memory_of(self, need: Need) -> int | None:
        """Bytes to ask Ray for. What nobody knows bounds nothing: then the cores do, alone."""
        if need.size is not None:
            return need.size or None
        shares = [m.get("memory", 0) * self.cpus / m["CPU"] for m in self.machines if m.get("CPU")]
        return int(min(shares, default=0)) or None

    def at_once(self, memory: float) -> int:
        """How many runs of that memory are played at the same time."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": memory}
        return sum(
            min(int(machine.get(key, 0) / amount) for key, amount in wanted.items() if amount)
            for machine in self.machines
        )

    def check(self, needs: Mapping[str, Need]) -> str:
        """Refuse what fits nowhere, for which Ray would wait for ever; say if memory is short.

        `needs` are the runs' by their names.
        """
        label, largest = max(needs.items(), key=lambda item: item[1].size or 0)
        memory = largest.size or 0
        by_cores = min(self.at_once(0), len(needs))
        if not by_cores or not self.at_once(memory):
            raise UserError(self._refusal(label, largest, memory_alone=by_cores > 0))
        if self.at_once(memory) >= by_cores:
            return ""
        return (
            f"memory bounds how many runs are played at a time: {self.at_once(memory)} instead of "
            f"{by_cores}. {label} takes {largest}. {WAYS_OUT}"
        )

    def _refusal(self, label: str, need: Need, memory_alone: bool) -> str:
        listed = "; ".join(
            f"{machine.get('CPU', 0):g} cores, {machine.get('GPU', 0):g} GPUs, "
            f"{human(machine.get('memory', 0))} memory"
            for machine in self.machines
        )
        text = (
            f"No machine has room for {label} (--cpus={self.cpus:g} --gpus={self.gpus:g}, memory: "
            f"{need}). There are: {listed}."
        )
        return f"{text}\n{WAYS_OUT}" if memory_alone else text
