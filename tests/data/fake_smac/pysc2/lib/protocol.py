"""The two errors that SMAC knows of."""


class ConnectionError(Exception):
    pass


class ProtocolError(Exception):
    pass
