"""As little of an EpisodeBatch as a learner reads."""


class EpisodeBatch:
    def __init__(self, fields):
        self.fields = fields
        self.batch_size, self.max_seq_length = fields["obs"].shape[:2]

    def __getitem__(self, key):
        return self.fields[key]
