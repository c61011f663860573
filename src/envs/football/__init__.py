"""Google Research Football (Kurach et al. 2020). docs/suites.md."""
