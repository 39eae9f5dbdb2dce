"""The records in the folder of the settings, published when a server starts."""

from __future__ import annotations

from pathlib import Path

import structlog

from greenroom.assembly import House
from greenroom.assistants.folder import read_folder
from greenroom.errors import BadRecord, BadSetting
from greenroom.ports.audit import Actor, ActorKind

log = structlog.get_logger("greenroom.assistants")

FOLDER = Actor(ActorKind.COMMAND, "GREENROOM_ASSISTANTS_DIR")


async def take_folder(folder: Path | None, house: House) -> None:
    """Publish each record whose file has changed; those whose file is gone stay.

    Raises:
        BadSetting: A file cannot be taken; it is named, with the path of the field.
    """
    if folder is None:
        return
    try:
        found = read_folder(folder)
        taken = await house.parts.versions.take(FOLDER, [one.record for one in found])
    except BadRecord as error:
        raise BadSetting(f"GREENROOM_ASSISTANTS_DIR: {error.message}") from error
    except OSError as error:
        raise BadSetting(
            f"GREENROOM_ASSISTANTS_DIR={folder} cannot be read: {error.strerror}."
        ) from error
    new = {version.name: version.number for version in taken}
    log.info("assistants.read", folder=str(folder), files=len(found), new_versions=new)
