"""`python -m pymarlk`: the command, where scripts of packages are not on the path."""

import sys

from pymarlk.command import main

if __name__ == "__main__":
    sys.exit(main())
