"""What is given with Sacred's own options."""

from __future__ import annotations

import pytest

from configuration.command_line import sort_words
from configuration.sacred_flags import FLAGS, Flag
from utils.errors import UserError

TAKING = [flag for flag in FLAGS if flag.read and not flag.refused]


@pytest.mark.parametrize("flag", TAKING, ids=lambda flag: flag.long)
def test_with_is_no_value(flag: Flag) -> None:
    for name in flag.names:
        with pytest.raises(UserError, match=f"{flag.short} .* needs a value"):
            sort_words([name, "with", "t_max=100"])


def test_a_comment_is_still_taken_and_may_be_with_where_it_is_attached() -> None:
    assert sort_words(["-c", "hello", "with", "t_max=100"]).options == {"--comment": "hello"}
    assert sort_words(["--comment=with", "with", "t_max=100"]).options == {"--comment": "with"}
