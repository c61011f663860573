"""PyMARL-K's command line: `python src/main.py --config=ALG --env-config=ENV with key=value`."""

import sys

import utils.prerequisites  # noqa: F401  # before anything that an old Python cannot read
from cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
