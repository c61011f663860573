"""Runs in a MongoDB, beside their folders, for Omniboard and all else that reads Sacred's."""

import records.tracking  # noqa: F401 - sets Sacred up; comes before all that imports it here
