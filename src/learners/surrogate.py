"""PPO's clipped surrogate, and its K-level form (Eq. 14 and 15)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from components.experience import Experience, mean_over

# Others' joint ratios are products over agents: beyond exp(5) few steps would drown all others.
OTHERS_LIMIT = 5.0
# One's own ratio only has to stay a number: infinite, it would poison the gradient it is not in.
OWN_LIMIT = 20.0


class Surrogate:
    """J_i = min(r_i A_i, clip(r_i) A_i), where r_i = pi_i / pi_i when acting, and against others

    outside:  M_i min(r_i A_i, clip(r_i) A_i)
    joint:    min(r_i M_i A_i, clip(r_i M_i) A_i)
    coppo:    the same with M_i clipped to 1 +- eps_clip / 2

    M_i is the joint ratio of the others' next policies to their `reference` log-probabilities: as
    they were when acting, or None for those of the present parameters, against which M_i is 1.
    With `kmappo_weight: mean_one` it is divided by its mean; with `k_others: shuffled` it is that
    of another step, which leaves its spread and takes away what it tells.

    What an agent "does" here is how probable it holds its stored actions: `own` and `others` are
    log-probabilities (R, L, N).
    """

    def __init__(
        self,
        own: Tensor,
        entropy: Tensor,
        played: Experience,
        args: SimpleNamespace,
        reference: Tensor | None = None,
    ) -> None:
        self.own = own
        self.ratio = (own - played.log_probs).clamp(max=OWN_LIMIT).exp()
        self._played, self._bonus = played, args.entropy_coef * entropy
        self._clip, self._args = args.eps_clip, args
        self._behaviour = reference
        self._reference = own.detach() if reference is None else reference
        self._others: Tensor | None = None  # M_i of the last level, if there was one

    def base(self) -> Tensor:
        """Everybody as now; that is level 0 against the behaviour if this is the reference."""
        if self._behaviour is not None:
            return self.against(self.own.detach())
        return self._loss(clipped(self.ratio, self._played.advantages, self._clip))

    def against(self, others: Tensor) -> Tensor:
        self._others = self._weight(others_ratio(others, self._reference))
        form = FORMS[self._args.kmappo_ratio]
        gain = form(self.ratio, self._others, self._played.advantages, self._clip)
        return self._loss(gain)

    def _weight(self, ratio: Tensor) -> Tensor:
        played = self._played
        if self._args.k_others == "shuffled":
            ratio = shuffled(ratio, played.valid)
        if self._args.kmappo_weight == "mean_one":
            mean = mean_over(ratio, played.deciding)
            ratio = ratio / torch.where(mean > 0, mean, 1.0)  # 0 where nobody decides
        return ratio

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        """How much the others' next policies reweigh the agents' steps."""
        if self._others is None:
            return {}
        change = (self._others - 1).abs()
        return {"others_ratio": mean_over(change, self._played.deciding)}

    def _loss(self, gain: Tensor) -> Tensor:
        return -mean_over(gain + self._bonus, self._played.deciding)


def others_ratio(log_probs: Tensor, reference: Tensor) -> Tensor:
    """M_i = prod over j != i of pi_j / pi_j(reference), all at once. (R, L, N)"""
    change = log_probs - reference
    of_others = change.sum(dim=-1, keepdim=True) - change
    return of_others.clamp(-OTHERS_LIMIT, OTHERS_LIMIT).exp()


def shuffled(values: Tensor, valid: Tensor) -> Tensor:
    """Real steps in another order, each with the values of all its agents. (R, L, N)"""
    flat = values.flatten(0, 1).clone()  # (R * L, N)
    places = valid.flatten(0, 1).any(dim=-1).nonzero().squeeze(1)
    flat[places] = flat[places[torch.randperm(len(places), device=places.device)]]
    return flat.view_as(values)


def clipped(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """min(r A, clip(r) A): A inside the min, so that a bad action that became likelier is still
    pushed back, where Eq. 15 as printed, min(r, clip(r)) A, would let it go."""
    return torch.min(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def outside(ratio: Tensor, others: Tensor, advantages: Tensor, clip: float) -> Tensor:
    return others * clipped(ratio, advantages, clip)


def joint(ratio: Tensor, others: Tensor, advantages: Tensor, clip: float) -> Tensor:
    return clipped(ratio * others, advantages, clip)


def coppo(ratio: Tensor, others: Tensor, advantages: Tensor, clip: float) -> Tensor:
    return joint(ratio, others.clamp(1 - clip / 2, 1 + clip / 2), advantages, clip)


def weighted(ratio: Tensor, others: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Without any clip, for steps that something else holds back."""
    return others * ratio * advantages


Form = Callable[[Tensor, Tensor, Tensor, float], Tensor]
FORMS: dict[str, Form] = {"outside": outside, "joint": joint, "coppo": coppo}
