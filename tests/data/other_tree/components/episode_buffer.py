"""As little of an EpisodeBatch as a learner reads."""

from types import SimpleNamespace


class EpisodeBatch:
    def __init__(self, fields):
        self.fields, self.data = fields, SimpleNamespace(transition_data=fields)
        self.batch_size, self.max_seq_length = fields["obs"].shape[:2]

    def __getitem__(self, key):
        return self.fields[key]
