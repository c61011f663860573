"""Environments by name: what `env:` in a config may say. Nothing is imported before it is used."""

from utils.registry import Registry

REGISTRY = Registry(
    "environment",
    {
        "climbing": "envs.matrix_games:Climbing",
        "penalty": "envs.matrix_games:Penalty",
        "nonmonotonic": "envs.matrix_games:Nonmonotonic",
        "permutation": "envs.matrix_games:Permutation",
        "two_step": "envs.matrix_games:TwoStep",
        "cts_matrix_game": "envs.matrix_games:ContinuousMatrixGame",
        "meet_up": "envs.meet_up:MeetUp",
        "grid": "envs.grid:Grid",
        "coordsum": "envs.coordsum:CoordSum",
        "team_game": "envs.team_game:TeamGame",
        "hit_sum": "envs.coupled:HitSum",
        "quadratic": "envs.coupled:Quadratic",
        "push": "envs.coupled:Push",
        "skirmish": "envs.skirmish.env:Skirmish",
        "skirmish_v2": "envs.skirmish.env:SkirmishV2",
        "mamujoco": "envs.mamujoco.env:MaMuJoCo",
        "mujoco_multi": "envs.mamujoco.env:MaMuJoCo",  # as FACMAC calls it
        "particle": "envs.particle.env:Particle",
        "gymma": "envs.suites.gymma:Gymma",
        "lbf": "envs.suites.gymma:Gymma",
        "rware": "envs.suites.gymma:Gymma",
        "mpe": "envs.suites.gymma:Gymma",
        "smax": "envs.smax.env:SMAX",
        "gfootball": "envs.football.env:GFootball",
        "sc2": "envs.sc2.adapter:SC2",
        "sc2v2": "envs.sc2.adapter:SC2v2",
        "sc2wrapped": "envs.sc2.adapter:SC2v2",  # as PyMARL2's relatives call it
    },
)
