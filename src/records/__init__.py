"""The records of a run: checkpoints, statistics, what Sacred keeps, how a run is found again."""
