"""Stops on a Python that is too old, in words that such a Python can still read, and on Windows.

It is the first import of main.py, sweep.py and report.py. Any Python must be able to parse it, so
it does without annotations and f-strings, as do those three.
"""

import os
import sys

LEAST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")

if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
    REMEDY = "Type `pip install -r " + os.path.join(ROOT, "requirements.txt") + "`."
elif os.path.exists(os.path.join(VENV, "bin", "activate")):
    REMEDY = "Type `source " + os.path.join(VENV, "bin", "activate") + "`, then the same again."
elif not os.path.exists(os.path.join(ROOT, "requirements.txt")):  # installed, no checkout
    REMEDY = "Type `" + sys.executable + " -m pip install pymarlk`."
else:
    REMEDY = (
        "Install them in " + ROOT + ", then type the same again:\n"
        "  python3.11 -m venv .venv && source .venv/bin/activate && "
        "pip install -r requirements.txt"
    )

if sys.version_info < LEAST:
    needed, found = (".".join(map(str, version[:2])) for version in (LEAST, sys.version_info))
    words = ["PyMARL-K needs Python", needed, "or newer, and its packages. This is Python", found]
    sys.stderr.write(" ".join(words) + " (" + sys.executable + ").\n" + REMEDY + "\n")
    sys.exit(2)

if os.name == "nt":
    sys.stderr.write(
        "PyMARL-K runs on Linux and macOS: it locks runs and starts environments in ways that "
        "Windows\ndoes not have. Type `wsl --install`, then the same there.\n"
    )
    sys.exit(2)
