"""Skirmish: battles in SMAC's shape without StarCraft II. `docs/skirmish.md` says what is modelled.

`units` and `maps` are the data, `terrain` where one may walk; `fights` is the state of many fights,
`engine` steps it with the help of `opponent`, `combat` and `movement`; `layout` and `reward` are
SMAC's view of it, `env` the environment, `policies` scripted players.
"""

ENGINE_VERSION = "1.1"  # changes whenever the same seed and actions may give another fight
