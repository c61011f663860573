"""PyMARL's logger, as a learner sees it."""


class Logger:
    def __init__(self):
        self.stats = {}

    def log_stat(self, key, value, t, to_sacred=True):
        self.stats[key] = value
