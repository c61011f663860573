"""Drawing without torch's checks takes the same random numbers to the same choices."""

from __future__ import annotations

import pytest
import torch

from components.action_selectors.multinomial import SoftPoliciesSelector
from components.discrete_head import draw
from tests.make import policy_args
from utils.errors import UserError


def test_draws_what_multinomial_draws() -> None:
    weights = torch.rand(500, 7) * (torch.rand(500, 7) < 0.6)
    weights[:, 3] += 0.01
    torch.manual_seed(5)
    drawn = draw(weights)
    torch.manual_seed(5)

    assert torch.equal(drawn, torch.multinomial(weights, 1).squeeze(1))
    assert (weights.gather(1, drawn.unsqueeze(1)) > 0).all()


def test_shares_follow_the_weights() -> None:
    weights = torch.tensor([1.0, 0.0, 3.0]).expand(4, 5000, 3)
    shares = torch.nn.functional.one_hot(draw(weights), 3).float().mean(dim=1)  # (4, 3)

    assert shares[:, 1].sum() == 0
    torch.testing.assert_close(shares[:, 2], torch.full((4,), 0.75), atol=0.03, rtol=0)


def test_only_what_is_available_is_drawn_where_all_probabilities_have_underflowed() -> None:
    selector = SoftPoliciesSelector(policy_args(mask_before_softmax=False))
    probabilities = torch.tensor([1.0, 0.0, 0.0]).expand(50, 1, 3)
    avail = torch.tensor([0, 1, 1]).expand(50, 1, 3)

    assert set(selector.select_action(probabilities, avail, t_env=0).flatten().tolist()) == {1, 2}


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_policy_that_has_diverged_is_not_drawn_from(broken: float) -> None:
    with pytest.raises(UserError, match="diverged"):
        draw(torch.tensor([[0.5, broken, 0.5]]))
