"""Whether one assistant could work: its services are made, and its model is asked for a word."""

from __future__ import annotations

from greenroom.doctor.finding import Finding, ok, problem
from greenroom.errors import GreenroomError
from greenroom.launch.workbench import LocalWorkbench
from greenroom.ports.readiness import Workbench
from greenroom.settings import Settings
from greenroom.store import database_at
from greenroom.wire.assistants import as_data

CHECK = "Assistant"
_MEND = {
    "missing_extra": "Install it in the server's environment, and start the server again.",
    "missing_key": "Or put it into a file of that name in GREENROOM_SECRETS_DIR.",
    "unknown_service": "See docs/assistants.md for how services are named.",
    "bad_setting": "Correct the record: greenroom assistants save FILE --publish",
    "service_failed": "Look at the provider's status, the address, the model's name and the key.",
}


async def assistant(
    settings: Settings, name: str, workbench: Workbench | None = None
) -> list[Finding]:
    """Try the published record of an assistant where its bots would run.

    Args:
        settings: The server's.
        name: Whose record.
        workbench: Where it is tried.
    """
    from greenroom.assistants.records import parse

    try:
        store = await database_at(settings.plain_database_url(), settings.state_dir).open()
        try:
            found = await store.assistants.published(name)
        finally:
            await store.close()
        if found is None:
            mend = "See: greenroom assistants list"
            return [problem(CHECK, f"There is no published record of “{name}”.", mend)]
        record = parse(found[1].record, name=name)
        said = as_data(record.for_bot())
        lacks = await (workbench or LocalWorkbench()).lacks(said, try_it=True)
    except GreenroomError as error:
        return [problem(CHECK, error.message, "Look at the record and the database.")]
    if lacks:
        return [problem(CHECK, str(one), _MEND.get(one.code, "See above.")) for one in lacks]
    if record.llm is None and record.speech_to_speech is None:
        return [ok(CHECK, f"“{name}” needs no services: it has no language model")]
    if record.llm is None:
        # What hears and speaks by itself has nothing that could be asked for a word.
        return [ok(CHECK, f"“{name}” is ready: its services can be made; its model was not asked")]
    return [ok(CHECK, f"“{name}” is ready: its services can be made, and its model answers")]
