"""Learners by name: the values of `learner:` in a config."""

from utils.registry import Registry

REGISTRY = Registry(
    "learner",
    {
        "q_learner": "learners.q_learner:QLearner",
        "qtran_learner": "learners.qtran_learner:QTranLearner",
        "cq_learner": "learners.cq_learner:CQLearner",
        "facmac_learner": "learners.facmac_learner:FACMACLearner",
        "kfacmac_learner": "learners.kfacmac_learner:KFACMACLearner",
        "maddpg_learner": "learners.maddpg_learner:MADDPGLearner",
        "kmaddpg_learner": "learners.kmaddpg_learner:KMADDPGLearner",
        "mappo_learner": "learners.mappo_learner:MAPPOLearner",
        "ippo_learner": "learners.mappo_learner:IPPOLearner",
        "coma_learner": "learners.coma_learner:COMALearner",
        "kmappo_learner": "learners.kmappo_learner:KMAPPOLearner",
        "team_learner": "learners.team_learner:TeamLearner",
        "happo_learner": "learners.happo_learner:HAPPOLearner",
        "hatrpo_learner": "learners.hatrpo_learner:HATRPOLearner",
        "khappo_learner": "learners.khappo_learner:KHAPPOLearner",
        "a2po_learner": "learners.a2po_learner:A2POLearner",
        "bppo_learner": "learners.bppo_learner:BPPOLearner",
        "bnmappo_learner": "learners.bnmappo_learner:BNMAPPOLearner",
        "magpo_learner": "learners.magpo_learner:MAGPOLearner",
        # FACMAC's names for discrete actions; here one learner serves both kinds.
        "facmac_learner_discrete": "learners.facmac_learner:FACMACLearner",
        "kfacmac_learner_discrete": "learners.kfacmac_learner:KFACMACLearner",
        "maddpg_learner_discrete": "learners.maddpg_learner:MADDPGLearner",
        "kmaddpg_learner_discrete": "learners.kmaddpg_learner:KMADDPGLearner",
    },
)
