"""What must hold before JAX compiles anything: the packages, their versions, the map."""

from __future__ import annotations

from envs.multiagentenv import RunFacts
from envs.smax.fights import check_map, find_rules
from envs.suites.packages import install_command, need, versions
from utils.errors import UserError

SEEN_WORKING = "0.2.0"  # the jaxmarl that all of this was tried with


def look_over(map_name: str) -> RunFacts:
    """The run's facts; a UserError if no fight can be made."""
    check_map(map_name)
    jax = need("jax")
    need("jaxmarl.environments.smax")
    found = versions(("jaxmarl", "jax"))
    other = _other_version(found.get("jaxmarl", "of no version"))
    try:
        find_rules(map_name)
    except UserError:
        raise
    except Exception as error:
        if not other:
            raise
        raise UserError(
            f"SMAX cannot be made ({type(error).__name__}: {error}). {other}"
        ) from error
    packages = ", ".join(f"{name} {number}" for name, number in found.items())
    return RunFacts(
        head=f"SMAX {map_name}",
        details=f"{packages}, on {jax.default_backend()}",
        record={"task": f"SMAX {map_name}", "packages": found},
        warnings=[other] if other else [],
    )


def _other_version(version: str) -> str:
    """A warning of a version that was not tried; nothing for the one that was."""
    if version == SEEN_WORKING:
        return ""
    return (
        f"jaxmarl {version} is installed; {SEEN_WORKING} is what was seen working. "
        f"Type: {install_command('jaxmarl')}"
    )
