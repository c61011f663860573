"""What to type: a checkout and an installed package have other words for the same.

It imports nothing that takes time, for help and messages say these words.
"""

from __future__ import annotations

from utils.places import INSTALLED

MAIN = "pymarlk" if INSTALLED else "python src/main.py"
SWEEP = "pymarlk sweep" if INSTALLED else "python src/sweep.py"
REPORT = "pymarlk report" if INSTALLED else "python src/report.py"
DISTRIBUTION = "pymarlk"  # as package indexes know it


def install(extra: str = "") -> str:
    """The command that installs the core, or an extra: the name of a file in requirements/."""
    if INSTALLED:
        return f'pip install "{DISTRIBUTION}[{extra}]"' if extra else f"pip install {DISTRIBUTION}"
    return f"pip install -r requirements{f'/{extra}' if extra else ''}.txt"
