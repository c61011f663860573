"""Where StarCraft II is, which builds it has, where its maps are. Nothing here starts anything."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shlex
from pathlib import Path

from envs.sc2.failures import (
    BROKEN_BINARY,
    MISSING_GAME,
    WRONG_VERSION,
    PreflightError,
)
from utils.places import INSTALLED, base_folder, expanded, is_number

OWN_FOLDER = base_folder() / "3rdparty" / "StarCraftII"  # where install_sc2.sh puts it
# A script of the repository, which a package does not bring along.
INSTALLER = "bash install_sc2.sh" if INSTALLED else "./install_sc2.sh"
USUAL_FOLDERS = {
    "Linux": "~/StarCraftII",
    "Darwin": "/Applications/StarCraft II",
    "Windows": "C:/Program Files (x86)/StarCraft II",
}
BINARIES = {"Darwin": "SC2.app/Contents/MacOS/SC2", "Windows": "SC2_x64.exe"}
BUILDS = {"4.10": 75689, "4.6.2": 69232}  # that results are published with, and scripts install
NAMES = {build: version for version, build in BUILDS.items()}
ELF, SCRIPT, X86_64 = b"\x7fELF", b"#!", 0x3E
WAYS_OUT = f"""\
One of three ways out:
  {INSTALLER:<38}installs the game, the maps and SMAC (Linux)
  export SC2PATH=/path/to/StarCraftII   if the game is on this machine already
  --env-config=skirmish                 battles of our own, which need no game"""


def game_folder() -> Path:
    """As pysc2 looks for it, and as PyMARL did: SC2PATH, else beside the code, else the usual."""
    if given := os.environ.get("SC2PATH"):
        return expanded(given)
    if (OWN_FOLDER / "Versions").is_dir():  # maps alone do not hide a game elsewhere
        return OWN_FOLDER
    usual = USUAL_FOLDERS.get(platform.system(), USUAL_FOLDERS["Linux"])
    return Path(os.path.expanduser(usual))  # without a home, a place where no game will be


def installer(root: Path, *options: str) -> str:
    """The command that completes the installation in `root`."""
    return " ".join([INSTALLER, *options, "--dir", shlex.quote(str(root))])


def package_installer(root: Path, build: int) -> str:
    """The command that installs `build` in `root`; of those in NAMES only."""
    return installer(root, "--version", NAMES[build])


def point_to_game() -> None:
    """Tell pysc2, here and in workers, what `game_folder` has found."""
    folder = game_folder()
    if folder.is_dir():
        os.environ["SC2PATH"] = str(folder)


def check_folder(root: Path) -> None:
    if not (root / "Versions").is_dir():
        what = f"{root} holds no StarCraft II" if root.is_dir() else f"there is no {root}"
        said = "SC2PATH says so, but " if os.environ.get("SC2PATH") else ""
        raise PreflightError(
            f"StarCraft II is missing: {said}{what}.\n{WAYS_OUT}",
            MISSING_GAME,
        )


def builds(root: Path) -> list[int]:
    """The numbers of the installed builds, in order."""
    numbers = []
    for folder in (root / "Versions").iterdir():  # glob would not say that it may not look
        if not folder.name.startswith("Base"):
            continue
        number = folder.name.removeprefix("Base")
        if not is_number(number):
            raise PreflightError(
                f"{folder} confuses pysc2: it reads a build number after 'Base'. Move that folder "
                "out of Versions.",
                WRONG_VERSION,
            )
        numbers.append(int(number))
    if not numbers:
        raise PreflightError(
            f"{root / 'Versions'} holds no build (Base75689 or the like).\n{WAYS_OUT}", MISSING_GAME
        )
    return sorted(numbers)


def choose_build(root: Path, game_version: str | None) -> int:
    """The build that pysc2 will start: of `game_version`, else the latest."""
    installed = builds(root)
    if game_version is None:
        return installed[-1]
    if not isinstance(game_version, str):  # a number has lost the zero of 4.10
        raise PreflightError(
            f"env_args.game_version is the number {game_version}; it must be text. In YAML put it "
            'in quotes, as in game_version: "4.10".',
            WRONG_VERSION,
        )
    wanted = build_of(game_version)
    if wanted is None:
        raise PreflightError(
            f"env_args.game_version={game_version} is no version that pysc2 knows. Usual: "
            f"{', '.join(BUILDS)}, or null for the latest that is installed.",
            WRONG_VERSION,
        )
    if wanted not in installed:
        cure = f"Type: {package_installer(root, wanted)}\nor leave" if wanted in NAMES else "Leave"
        raise PreflightError(
            f"env_args.game_version={game_version} is build {wanted}; installed: "
            f"{', '.join(map(str, installed))}.\n{cure} env_args.game_version at null for the "
            "latest that is installed.",
            WRONG_VERSION,
        )
    return wanted


def build_of(game_version: str) -> int | None:
    """By our table; else by pysc2's, which takes a moment to load."""
    if game_version in BUILDS:
        return BUILDS[game_version]
    try:
        from pysc2.run_configs.lib import VERSIONS
    except ImportError:
        return None
    full = game_version + ".0" if game_version.count(".") == 1 else game_version
    return VERSIONS[full].build_version if full in VERSIONS else None


def version_name(build: int) -> str:
    """ "4.10 (build 75689)"."""
    return f"{NAMES[build]} (build {build})" if build in NAMES else f"build {build}"


def binary_of(root: Path, build: int) -> Path:
    name = BINARIES.get(platform.system(), "SC2_x64")
    return root / "Versions" / f"Base{build:05d}" / name


def check_binary(root: Path, build: int) -> None:
    """There, executable, and for this kind of machine."""
    binary = binary_of(root, build)
    again = package_installer(root, build) if build in NAMES else "install the game again"
    if not binary.is_file():
        raise PreflightError(f"{binary} is missing. Type: {again}", BROKEN_BINARY)
    if not os.access(binary, os.X_OK):
        raise PreflightError(
            f"{binary} may not be executed. Type: chmod +x '{binary}'", BROKEN_BINARY
        )
    if platform.system() != "Linux":
        return
    with binary.open("rb") as file:
        head = file.read(20)
    if head[:2] == SCRIPT:
        return
    if head[:4] != ELF or len(head) < 20:
        raise PreflightError(
            f"{binary} is no Linux program; the download may be broken. Type: {again}",
            BROKEN_BINARY,
        )
    if head[18] != X86_64 or platform.machine() not in ("x86_64", "AMD64"):
        raise PreflightError(
            f"{binary} cannot run here: StarCraft II for Linux is x86_64 only, this machine is "
            f"{platform.machine()}. Use --env-config=skirmish.",
            BROKEN_BINARY,
        )


def map_file(root: Path, name: str) -> Path:
    return root / "Maps" / "SMAC_Maps" / f"{name}.SC2Map"


@functools.cache
def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
