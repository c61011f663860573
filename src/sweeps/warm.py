"""What the runs of a sweep have in common when they begin: done once, by whoever forks them."""

import launch  # noqa: F401
from configuration.fit import registry
from configuration.schema import REGISTRIES, settings
from records.tracking import installed_packages, source_digest, source_files

settings()
installed_packages()
for path in source_files():
    source_digest(str(path))
for kind in REGISTRIES.keys() - {"envs"}:  # those of packages take long, and may be missing
    for name in registry(kind):
        registry(kind)[name]
