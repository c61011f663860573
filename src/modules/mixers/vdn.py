"""PyMARL's name for the module that its learners import VDN's mixer from."""

from modules.mixers.sums import VDNMixer

__all__ = ["VDNMixer"]
