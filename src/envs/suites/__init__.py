"""Environments of other packages, in this project's contract. docs/suites.md lists them."""
