"""install_sc2.sh against a web server of our own, with packages of a few bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from envs.sc2.suites import SMAC, SMACV2
from tests.support import PATIENCE

SCRIPT = Path(__file__).resolve().parents[1] / "install_sc2.sh"
GAME, OLD_GAME = "/Linux/SC2.4.10.zip", "/Linux/SC2.4.6.2.69232.zip"
MAPS = "/smac/releases/download/v0.1-beta1/SMAC_Maps.zip"
MORE_MAPS = "/smacv2/releases/download/maps/SMAC_Maps.zip"
MISSING_PACKAGES, UNSOUND = 10, 5
pytestmark = [
    pytest.mark.skipif(not all(map(shutil.which, ("bash", "unzip", "curl"))), reason="needs these"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the game is for x86_64"),
]


def zipped(files: dict[str, str], path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return path.read_bytes()


@dataclass
class Web:
    """What the server has, what it was asked for, and where it breaks off."""

    files: dict[str, bytes]
    asked: list[tuple[str, int]] = field(default_factory=list)  # path, first byte
    break_off_after: int | None = None
    url: str = ""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    binary = "Versions/Base{}/SC2_x64"
    noise = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))
    content = Web(
        {
            GAME: zipped(
                {"StarCraftII/" + binary.format(75689): "#!/bin/sh\n", "StarCraftII/data": noise},
                tmp_path / "a.zip",
            ),
            OLD_GAME: zipped(
                {"StarCraftII/" + binary.format(69232): "#!/bin/sh\n"}, tmp_path / "b.zip"
            ),
            MAPS: zipped(
                {"SMAC_Maps/3m.SC2Map": "3m", "SMAC_Maps/8m.SC2Map": "8m"}, tmp_path / "c.zip"
            ),
            MORE_MAPS: zipped(
                {"SMAC_Maps/3m.SC2Map": "3m", "SMAC_Maps/32x32_flat.SC2Map": "flat"},
                tmp_path / "d.zip",
            ),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = content.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
            content.asked.append((self.path, start))
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[start:][: content.break_off_after])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    content.url = f"http://127.0.0.1:{server.server_port}"
    yield content
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "my games" / "StarCraftII"


def install(
    web: Web,
    place: Path,
    *options: str,
    code: int = 0,
    examined: bool = False,
    cwd: Path | None = None,
    **env: str,
) -> str:
    """Run the script, which ends with doctor where Python has the packages for it.

    What is not `examined` has no such Python. Doctor misses only the hidden SMACs.
    """
    settings = {
        "SC2_MIRROR": web.url, "SMAC_MIRROR": web.url, "no_proxy": "*",
        "PYTHON": sys.executable if examined else "false",
        "PYTHONPATH": str(place.parent / "without_smac"), **env,
    }  # fmt: skip
    for package in ("smac", "smacv2"):
        hidden = place.parent / "without_smac" / package
        hidden.mkdir(parents=True, exist_ok=True)
        (hidden / "__init__.py").touch()
    done = subprocess.run(
        ["bash", str(SCRIPT), "--dir", str(place), "--no-python", *options],
        env={**{k: v for k, v in os.environ.items() if k != "SC2PATH"}, **settings},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        cwd=cwd,
    )
    said = done.stdout + done.stderr
    assert done.returncode == (code or (MISSING_PACKAGES if examined else 0)), said
    return said


def test_from_nothing_and_again(web: Web, place: Path) -> None:
    said = install(web, place, "--accept-eula", examined=True)

    binary = place / "Versions" / "Base75689" / "SC2_x64"
    assert os.access(binary, os.X_OK)
    assert (place / "Maps" / "SMAC_Maps" / "3m.SC2Map").read_text() == "3m"
    digest = hashlib.sha256(web.files[GAME]).hexdigest()
    stamp = (place / ".pymarlk" / "game-4.10").read_text()
    assert stamp.startswith(f"sha256 {digest}\nbytes {len(web.files[GAME])}\nfile ")
    assert f"export SC2PATH='{place}'" in said
    assert "4.10 (build 75689)" in said  # doctor
    assert not place.with_name("StarCraftII.download").exists()

    asked = len(web.asked)
    binary.chmod(0o644)
    said = install(web, place)
    assert len(web.asked) == asked
    assert "is there" in said
    assert os.access(binary, os.X_OK)
    maps = sorted(path.name for path in (place / "Maps" / "SMAC_Maps").iterdir())
    assert maps == ["3m.SC2Map", "8m.SC2Map"]


def test_what_got_lost_or_damaged_is_brought_again(web: Web, place: Path) -> None:
    install(web, place, "--accept-eula")
    binary = place / "Versions" / "Base75689" / "SC2_x64"
    one_map = place / "Maps" / "SMAC_Maps" / "8m.SC2Map"
    binary.write_text("<html>   ")
    one_map.unlink()
    install(web, place, "--maps-only")
    assert one_map.exists()
    one_map.write_text("x")
    install(web, place, "--accept-eula")

    assert binary.read_text() == "#!/bin/sh\n"
    assert one_map.read_text() == "8m"


def test_the_license_is_never_accepted_silently(web: Web, place: Path) -> None:
    said = install(web, place, code=3)

    assert "AI_AND_MACHINE_LEARNING_LICENSE.html" in said
    assert web.asked == []
    install(web, place, SC2_ACCEPT_EULA="yes")


def test_a_download_that_breaks_off_is_continued(web: Web, place: Path) -> None:
    web.break_off_after = 700
    install(web, place, "--accept-eula", code=UNSOUND)
    web.break_off_after = None
    install(web, place, "--accept-eula")

    starts = [start for path, start in web.asked if path == GAME]
    assert starts[0] == 0
    assert starts[-1] >= 700
    assert (place / "data").stat().st_size == 200 * 64


def test_a_damaged_download_is_thrown_away(web: Web, place: Path) -> None:
    sound = web.files[GAME]
    web.files[GAME] = sound[:50] + b"x" * 50 + sound[100:]
    assert "arrived damaged" in install(web, place, "--accept-eula", code=UNSOUND)
    assert not (place / "Versions").exists()
    web.files[GAME] = sound
    install(web, place, "--accept-eula")


def test_a_page_instead_of_a_package(web: Web, place: Path) -> None:
    web.files[GAME] = b"<html>Please log in</html>"
    install(web, place, "--accept-eula", code=UNSOUND)


def test_a_rest_that_cannot_be_continued(web: Web, place: Path) -> None:
    part = place.with_name("StarCraftII.download") / "SC2.4.10.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"y" * 100_000)  # longer than what the server has
    assert "deleted" in install(web, place, "--accept-eula", code=UNSOUND)
    install(web, place, "--accept-eula")


def test_a_package_that_is_not_on_the_server(web: Web, place: Path) -> None:
    del web.files[GAME]
    assert "--offline-zip" in install(web, place, "--accept-eula", code=UNSOUND)


def test_an_unexpected_checksum(web: Web, place: Path) -> None:
    said = install(web, place, "--accept-eula", code=UNSOUND, SC2_SHA256="0" * 64)
    assert "not SC2_SHA256" in said
    install(web, place, "--accept-eula", SC2_SHA256=hashlib.sha256(web.files[GAME]).hexdigest())


def test_a_disk_without_room_is_told_before_it_is_full(
    web: Web, place: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho Heads\necho disk 100 92 8 92% /\n")  # 8 KiB
    (tools / "df").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"

    said = install(web, place, "--accept-eula", code=1, PATH=path)
    assert "unpacks to 0 MB" in said
    assert "--dir DIR" in said
    assert not (place / "Versions").exists()
    install(web, place, "--accept-eula")
    assert sum(path == GAME for path, _ in web.asked) == 1  # what was downloaded is kept


def test_a_second_version_beside_the_first(web: Web, place: Path) -> None:
    install(web, place, "--accept-eula")
    said = install(web, place, "--accept-eula", "--version", "4.6.2", examined=True)

    assert "4.6.2 (build 69232)" in said  # doctor
    assert "env_args.game_version=4.6.2" in said
    builds = sorted(path.name for path in (place / "Versions").iterdir())
    assert builds == ["Base69232", "Base75689"]


def test_an_interrupted_unpacking_is_done_again(web: Web, place: Path) -> None:
    install(web, place, "--accept-eula")
    (place / ".pymarlk" / "game-4.10").unlink()  # as if it had been stopped before the stamp
    (place / "data").unlink()
    install(web, place, "--accept-eula")

    assert (place / "data").exists()


BACKEND = """
import zipfile
ABOUT = {{
    "METADATA": ["Metadata-Version: 2.1", "Name: {name}", "Version: 1", "Requires-Dist: nowhere"],
    "WHEEL": ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"],
    "RECORD": [],
}}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        wheel.write("{name}/__init__.py")
        for file, lines in ABOUT.items():
            wheel.writestr("{name}-1.dist-info/" + file, "".join(line + chr(10) for line in lines))
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def git_repository(folder: Path, name: str) -> str:
    """A package that asks for another that nobody has; returns the commit before the last."""
    work = folder / f"{name}.git"
    (work / name).mkdir(parents=True)
    (work / "backend.py").write_text(BACKEND.format(name=name))
    (work / "pyproject.toml").write_text(PROJECT)

    def git(*words: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", "-C", str(work), *who, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init")
    for version in ("the right one", "a later one"):
        (work / name / "__init__.py").write_text(f"version = {version!r}\n")
        git("add", ".")
        git("commit", "-m", version)
    return git("rev-parse", "HEAD~1")


def install_packages(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The script in `folder`, with pip's real work, but for an index of packages."""
    return subprocess.run(
        ["bash", str(folder / SCRIPT.name), "--python-only", *options],
        env={**os.environ, "PYTHON": sys.executable, "PIP_NO_INDEX": "1",
             "PIP_TARGET": str(folder / "installed"), "SMAC_MIRROR": folder.as_uri(), **env},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_packages_come_from_their_repositories_at_the_right_commit(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    script = SCRIPT.read_text()
    for name, published in (("smac", SMAC.commit), ("smacv2", SMACV2.commit)):
        assert published in script
        script = script.replace(published, git_repository(tmp_path, name))
    (tmp_path / SCRIPT.name).write_text(script)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "sc2.txt").touch()

    installed = tmp_path / "installed"
    done = install_packages(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the right one" in (installed / "smac" / "__init__.py").read_text()
    assert not (installed / "smacv2").exists()

    done = install_packages(tmp_path, "--smacv2-maps")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the right one" in (installed / "smacv2" / "__init__.py").read_text()

    done = install_packages(tmp_path, SMAC_MIRROR=(tmp_path / "nowhere").as_uri())
    assert done.returncode == 1
    assert "SMAC_MIRROR=file:///" in done.stderr


def test_machines_without_a_network(web: Web, place: Path, tmp_path: Path) -> None:
    install(
        web, place, "--accept-eula", "--offline-zip", str(tmp_path / "a.zip"),
        "--offline-maps", str(tmp_path / "c.zip"),
    )  # fmt: skip
    assert web.asked == []
    assert (tmp_path / "a.zip").exists()  # not ours to delete


def test_only_the_maps_and_those_of_smacv2(web: Web, place: Path) -> None:
    install(web, place, "--maps-only", "--smacv2-maps", examined=True)

    assert [path for path, _ in web.asked] == [MORE_MAPS]
    assert (place / "Maps" / "SMAC_Maps" / "32x32_flat.SC2Map").exists()
    install(web, place, "--maps-only")  # they are among them
    assert len(web.asked) == 1


def test_a_package_of_another_version(web: Web, place: Path, tmp_path: Path) -> None:
    said = install(
        web, place, "--accept-eula", "--offline-zip", str(tmp_path / "b.zip"), code=UNSOUND
    )
    assert "holds no StarCraft II 4.10" in said
    assert sorted(path.name for path in place.parent.iterdir()) == ["without_smac"]


def test_into_the_folder_where_one_stands(web: Web, place: Path) -> None:
    place.mkdir(parents=True)
    install(web, place, "--maps-only", "--dir", ".", cwd=place)
    assert (place / "Maps" / "SMAC_Maps" / "3m.SC2Map").exists()
    assert sorted(path.name for path in place.iterdir()) == [".pymarlk", "Maps"]


@pytest.mark.parametrize("there", [[], ["home"], ["home", "own"]])
def test_maps_go_to_the_game_that_runs_would_take(
    web: Web, tmp_path: Path, there: list[str]
) -> None:
    script = tmp_path / "code" / SCRIPT.name
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    places = {"home": tmp_path / "StarCraftII", "own": tmp_path / "code/3rdparty/StarCraftII"}
    for name in there:
        (places[name] / "Versions").mkdir(parents=True)
    settings = {"SMAC_MIRROR": web.url, "PYTHON": "false", "no_proxy": "*", "HOME": str(tmp_path)}
    subprocess.run(
        ["bash", str(script), "--maps-only"],
        env={**{k: v for k, v in os.environ.items() if k != "SC2PATH"}, **settings},
        check=True,
        timeout=PATIENCE,
    )
    expected = places["home" if there == ["home"] else "own"]
    assert (expected / "Maps" / "SMAC_Maps" / "3m.SC2Map").exists()


def test_maps_that_lack_what_smacv2_needs(web: Web, place: Path) -> None:
    web.files[MORE_MAPS] = web.files[MAPS]
    said = install(web, place, "--maps-only", "--smacv2-maps", code=UNSOUND)
    assert "lacks 32x32_flat" in said


@pytest.mark.parametrize("options", [["--version", "5.0"], ["--nonsense"], ["--version"]])
def test_wrong_options(web: Web, place: Path, options: list[str]) -> None:
    install(web, place, *options, code=2)


def test_shellcheck_finds_nothing() -> None:
    if not (shellcheck := shutil.which("shellcheck")):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([shellcheck, str(SCRIPT)], capture_output=True, text=True)
    assert done.stdout == ""
