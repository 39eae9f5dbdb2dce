"""A bot that fails as soon as it runs."""


async def bot(runner_args: object) -> None:
    """Raise."""
    raise LookupError("the bot's own mistake")
