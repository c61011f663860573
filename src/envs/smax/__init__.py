"""SMAX, JaxMARL's battles (Rutherford et al. 2024), stepped in batches. docs/suites.md."""
