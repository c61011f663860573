"""The files of a run's folder, read as what they were written as, or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from records.checksums import FILE, Checksums, DamagedError, read_checksums
from utils.files import digest_of_open, open_regular, read_bytes, reason
from utils.json_values import JsonObject
from utils.settings import Settings

ATTEMPTS = 3  # a run that goes on may replace a file and its checksum while they are read
CONFIG_COPY = "config"  # entry of run.json: config.json once more


class UnreadableRunError(DamagedError):
    """A run whose files are torn, not what was written, or not of any known form."""


class RunFiles:
    """Of one run. With `root`, links that lead out of that folder are not followed."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder, self.root = folder, root

    def object(self, name: str) -> JsonObject:
        """The object in a file, {} if there is no file."""
        path = self.folder / name
        data = self._verified(name)
        if data is None:
            return {}
        try:
            content = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise UnreadableRunError(f"{path} cannot be read ({error}).") from error
        if not isinstance(content, dict):
            raise UnreadableRunError(f"{path} holds a {type(content).__name__}, not an object.")
        return content

    def object_or_nothing(self, name: str) -> JsonObject:
        """The object in a file; {} also where that is damaged, for what can do without."""
        try:
            return self.object(name)
        except UnreadableRunError:
            return {}

    def settings(self) -> tuple[Settings, list[str]]:
        """config.json, or its copy in run.json where it is lost, which is said."""
        try:
            config = self.object("config.json")
            lost = "" if "env" in config else f"{self.folder}: config.json names no environment."
        except UnreadableRunError as error:
            config, lost = {}, str(error)
        if not lost:
            return config, []
        copy = self._copied_settings()
        if not copy:
            raise UnreadableRunError(f"{lost} So this is no run, or its settings are lost.")
        return copy, [f"{lost} The settings were taken from run.json."]

    def _copied_settings(self) -> Settings:
        copy = self.object_or_nothing("run.json").get(CONFIG_COPY)
        return copy if isinstance(copy, dict) else {}

    def written(self, name: str) -> int:
        """How many bytes a file that only grows had when that was last written down."""
        return self._grown(name)[0]

    def changed(self, name: str) -> str | None:
        """A sentence if a file that only grows does not begin with what was written."""
        path, (size, digest) = self.folder / name, self._grown(name)
        if not size:
            return None
        try:
            with open_regular(path, self.root) as file:
                found = digest_of_open(file, size)
        except OSError as error:
            return f"{path} cannot be read ({reason(error)})."
        return None if found == digest else f"{path} is damaged: it is not what was written."

    def unverifiable(self) -> str | None:
        """A sentence if the checksums themselves are damaged."""
        try:
            read_checksums(self.folder, self.root)
        except DamagedError as error:
            return str(error)
        return None

    def _verified(self, name: str) -> bytes | None:
        path = self.folder / name
        for _ in range(ATTEMPTS):
            try:
                data = read_bytes(path, self.root)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise UnreadableRunError(f"{path} cannot be read ({reason(error)}).") from error
            if self._fits(name, data):
                return data
        raise UnreadableRunError(
            f"{path} cannot be read: it is not what was written, its checksum is another. If it "
            f"was changed on purpose, delete {FILE} beside it."
        )

    def _fits(self, name: str, data: bytes) -> bool:
        """Also where nothing is known of the file; damaged checksums are told on their own."""
        sums = self._sums()
        allowed = sums.files.get(name) if sums else None
        return allowed is None or hashlib.sha256(data).hexdigest() in allowed

    def _grown(self, name: str) -> tuple[int, str]:
        sums = self._sums()
        return sums.growing.get(name, (0, "")) if sums else (0, "")

    def _sums(self) -> Checksums | None:
        try:
            return read_checksums(self.folder, self.root)
        except DamagedError:
            return None
