"""FACMAC's continuous predator-prey (Peng et al. 2021), written from its rules. docs/suites.md."""
