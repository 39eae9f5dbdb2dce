"""Keys of services: from the environment, or from a folder of files, one a key; never a record."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from greenroom.wire.process import SECRETS_DIR

_MAX_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


class Secrets(Mapping[str, str]):
    """The environment, and behind it the files of a folder, each called as the variable would be.

    That is how Docker, Kubernetes and systemd hand secrets over. A file is read when it is asked
    for; white space around its text does not count.

    Args:
        environment: The process's own by default.
        folder: By default the one that ``GREENROOM_SECRETS_DIR`` names, if it does.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self._environment = os.environ if environment is None else environment
        named = self._environment.get(SECRETS_DIR)
        self._folder = folder or (Path(named) if named else None)

    def __getitem__(self, name: str) -> str:
        """The value of a variable that is not empty.

        Raises:
            KeyError: There is none.
        """
        value = self._environment.get(name) or self._in_file(name)
        if not value:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        names = set(self._environment)
        if self._folder is not None and self._folder.is_dir():
            names |= {file.name for file in self._folder.iterdir() if _NAME.fullmatch(file.name)}
        return iter(sorted(names))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _in_file(self, name: str) -> str:
        if self._folder is None or not _NAME.fullmatch(name):
            return ""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_MAX_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError):
            return ""


def variables_of(provider: str, source: str) -> list[str]:
    """The variables that may hold a provider's key, the usual one first.

    Args:
        provider: As Pipecat calls it.
        source: The text of the service's module: some name another variable there (``FAL_KEY``,
            ``AZURE_CHATGPT_API_KEY``), in what they read or in their example.
    """
    named = re.findall(r"""(?:getenv|environ\.get)\(\s*["']([A-Z0-9_]+KEY)["']""", source)
    usual = f"{provider.upper()}_API_KEY"
    return list(dict.fromkeys([*named, usual] if named and usual not in named else [usual]))


def variable_of(provider: str, parameter: str) -> str:
    """The variable that holds another of a provider's secrets: ``AWS_SECRET_ACCESS_KEY``.

    Args:
        provider: As Pipecat calls it.
        parameter: As the service's constructor does.
    """
    own, name = f"{provider}_".upper(), parameter.upper()
    return name if name.startswith(own) else own + name
