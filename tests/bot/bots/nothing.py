"""A module without a bot."""


def bot(runner_args: object) -> None:
    """Not a coroutine function."""
