"""Mixers by name: what `mixer:` in a config may say. Every entry is built with `(args)`."""

from utils.registry import Registry

REGISTRY = Registry(
    "mixer",
    {
        "vdn": "modules.mixers.sums:VDNMixer",
        "vdn-s": "modules.mixers.qmix_ablations:VDNState",
        "qmix": "modules.mixers.qmix:QMixer",
        "qmix-nonmonotonic": "modules.mixers.qmix_ablations:QMixerNonmonotonic",
        "qtran_base": "modules.mixers.qtran:QTranBase",
    },
)
