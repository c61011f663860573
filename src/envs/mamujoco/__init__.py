"""Multi-Agent MuJoCo: one robot whose joints belong to several agents. docs/suites.md."""
