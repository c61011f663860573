"""Settings files of PyMARL's relatives: who wrote them, and what their names are called here."""

from __future__ import annotations

from typing import Any

EPYMARL_KEYS = {"target_update_interval_or_tau", "hidden_dim", "use_rnn", "standardise_rewards"}
FACMAC_KEYS = {"runner_scope", "target_update_mode"}
PYMARL2_NAMES = {
    "learner": {"nq_learner", "max_q_learner", "dmaq_qatten_learner", "policy_gradient_v2"}
    | {"lica_learner", "offpg_learner", "fmac_learner"},
    "mac": {"n_mac", "conv_mac", "ppo_mac", "lica_mac", "dop_mac"},
}
# (key, their value) -> our settings.
RENAMED_VALUES: dict[tuple[str, Any], dict[str, Any]] = {
    ("agent", "rnn_ns"): {"agent": "rnn", "share_parameters": False},
    ("agent", "n_rnn"): {"agent": "rnn"},
    ("mac", "non_shared_mac"): {"mac": "basic_mac", "share_parameters": False},
    ("mac", "n_mac"): {"mac": "basic_mac"},
    ("learner", "nq_learner"): {"learner": "q_learner"},
}


def recognise(values: dict[str, Any]) -> str:
    """pymarl, facmac, epymarl or pymarl2, from the keys of an algorithm file."""
    if EPYMARL_KEYS & values.keys():
        return "epymarl"
    if "run" in values or any(values.get(key) in known for key, known in PYMARL2_NAMES.items()):
        return "pymarl2"
    if FACMAC_KEYS & values.keys():
        return "facmac"
    return "pymarl"


def translate(values: dict[str, Any], dialect: str) -> tuple[dict[str, Any], list[str]]:
    """The same settings under our names, and a word on each change."""
    ours, notes = dict(values), []

    def rename(theirs: str, settings: dict[str, Any]) -> None:
        notes.append(f"{theirs} -> {', '.join(f'{k} {v}' for k, v in settings.items())}")
        ours.update(settings)

    for (key, value), settings in RENAMED_VALUES.items():
        if values.get(key) == value:
            rename(f"{key} {value}", settings)
    if "hidden_dim" in ours:
        rename("hidden_dim", {"rnn_hidden_dim": ours.pop("hidden_dim")})
    if "target_update_interval_or_tau" in ours:
        rename("target_update_interval_or_tau", _target_update(ours))
    if ours.get("use_rnn") is False and ours.get("agent", "rnn") == "rnn":
        rename("use_rnn False", {"agent": "mlp"})
    ours.pop("use_rnn", None)
    if isinstance(ours.get("weight_decay"), bool):  # FACMAC's switch, which nothing reads
        del ours["weight_decay"]
        notes.append("weight_decay True/False dropped")
    if dialect == "epymarl" and "optimizer" not in values:
        rename("no optimizer", {"optimizer": "adam"})
    return ours, notes


def _target_update(ours: dict[str, Any]) -> dict[str, Any]:
    """Above 1 an interval between copies, else a soft step."""
    amount = ours.pop("target_update_interval_or_tau")
    if amount > 1:
        return {"target_update_mode": "hard", "target_update_interval": int(amount)}
    return {"target_update_mode": "soft", "target_update_tau": float(amount)}
