"""Drawing without torch's checks takes the same random numbers to the same choices."""

from __future__ import annotations

import torch

from components.action_selectors.drawing import draw


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
