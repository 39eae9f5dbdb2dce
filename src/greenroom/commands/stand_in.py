"""``greenroom stand-in``: other people's services, played on this machine for tests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from greenroom.commands.terminal import out, refusals

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Play a provider's service on loopback, for tests.\n\n"
        "Example:  [bold]greenroom stand-in daily --port 8650[/bold]"
    ),
)


@app.callback()
def stand_in() -> None:
    """Play a provider's service on loopback, for tests. Never a production's counterpart.

    Example:  [bold]greenroom stand-in daily --port 8650[/bold]
    """


@app.command()
def daily(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8650,
    key: Annotated[
        str | None, typer.Option(help="The API key it accepts; a new one if none is given.")
    ] = None,
    domain: Annotated[str, typer.Option(help="The domain whose rooms it keeps.")] = "stand-in",
) -> None:
    """Play Daily's REST API on loopback: rooms, tokens, presence, webhooks, limits. Ctrl-C ends it.

    It keeps everything in memory, carries no audio, and listens on 127.0.0.1 only.

    Examples:
      [bold]greenroom stand-in daily[/bold]                prints its address and its key

      [bold]greenroom stand-in daily --port 0 --domain acme[/bold]
    """
    from greenroom.testing.daily.serve import serve_daily

    def ready(address: str, api_key: str) -> None:
        out.print(f"\n  [green]●[/green] Daily's stand-in is up: [bold]{escape(address)}[/bold]\n")
        out.print(f"GREENROOM_ROOMS=daily GREENROOM_DAILY_API_URL={escape(address)} \\")
        out.print(f"GREENROOM_DAILY_API_KEY={escape(api_key)} greenroom serve bot.py")

    with refusals():
        asyncio.run(serve_daily(port=port, api_key=key, domain=domain, on_ready=ready))


@app.command(name="pipecat-cloud")
def pipecat_cloud(
    agents: Annotated[
        list[str],
        typer.Option("--agent", help="NAME, or NAME=bot.py: what it runs; again for more."),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8651,
    max_agents: Annotated[int, typer.Option(min=1, max=1000, help="Sessions at once.")] = 50,
    min_agents: Annotated[int, typer.Option(min=0, max=1000, help="Warm instances.")] = 0,
    cold_start_s: Annotated[float, typer.Option(min=0, help="Until a cold agent begins.")] = 10.0,
    max_session_s: Annotated[
        float, typer.Option(min=1, max=14_400, help="A session ends by itself then.")
    ] = 7_200.0,
    no_stop: Annotated[
        bool, typer.Option("--no-stop", help="Its sessions cannot be stopped (405).")
    ] = False,
) -> None:
    """Play Pipecat Cloud's API on loopback; agents are processes of this machine. Ctrl-C ends all.

    Examples:
      [bold]greenroom stand-in pipecat-cloud --agent parrot=examples/cloud-agent/bot.py[/bold]

      [bold]greenroom stand-in pipecat-cloud --agent parrot --cold-start-s 30 --max-agents 2[/bold]
    """
    from greenroom.testing.deployments import Deployment
    from greenroom.testing.serve_pipecat_cloud import agent_of, serve_pipecat_cloud

    def ready(address: str, public_key: str, private_key: str) -> None:
        out.print(f"\n  [green]●[/green] Pipecat Cloud's stand-in is up: [bold]{address}[/bold]\n")
        out.print(f"GREENROOM_LAUNCHER=pipecat-cloud GREENROOM_PIPECAT_CLOUD_URL={address} \\")
        out.print(f"GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY={public_key} \\")
        out.print(f"GREENROOM_PIPECAT_CLOUD_PRIVATE_KEY={private_key} \\")
        named = escape(next(iter(deployments)).name)
        out.print(f"GREENROOM_PIPECAT_CLOUD_AGENT={named} greenroom serve")

    with refusals():
        deployments = [
            Deployment(
                name,
                agent,
                max_agents,
                min_agents,
                cold_start_s,
                max_session_s,
                stops=not no_stop,
            )
            for name, agent in map(agent_of, agents)
        ]
        asyncio.run(serve_pipecat_cloud(deployments, port=port, on_ready=ready))


@app.command()
def openai(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8652,
    key: Annotated[
        str | None, typer.Option(help="The one API key it accepts; any if none is given.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="YAML: a list of {when, say, call, arguments, role}."),
    ] = None,
    first_token_ms: Annotated[float, typer.Option(min=0, help="Until the first token.")] = 200.0,
    token_ms: Annotated[float, typer.Option(min=0, help="Between two tokens.")] = 20.0,
) -> None:
    """Play OpenAI on loopback: text and tool calls, and the Realtime API. Ctrl-C ends it.

    What is said to the Realtime API is understood by PocketSphinx, roughly, and answered by
    espeak-ng.

    It thinks nothing: it answers by rules over the last message. Without a file it makes a note
    when it is asked to, says goodbye, and repeats what it was told.

    Examples:
      [bold]greenroom stand-in openai[/bold]                     prints the services of a record

      [bold]greenroom stand-in openai --rules rules.yaml --first-token-ms 500[/bold]
    """
    from greenroom.testing.openai.realtime import realtime_address
    from greenroom.testing.openai.replies import USUAL_RULES, rules_of
    from greenroom.testing.openai.serve import serve_openai
    from greenroom.testing.openai.stand_in import OpenAI

    def ready(address: str) -> None:
        out.print(f"\n  [green]●[/green] OpenAI's stand-in is up: [bold]{escape(address)}[/bold]\n")
        out.print(f"llm: {{service: openai, settings: {{baseUrl: {escape(address)}}}}}")
        spoken = escape(realtime_address(address))
        out.print(f"speechToSpeech: {{service: openai, settings: {{baseUrl: {spoken}}}}}")
        shown = key or "anything"
        out.print(f"OPENAI_API_KEY={escape(shown)} greenroom serve")

    with refusals():
        playing = OpenAI(
            rules=USUAL_RULES if rules is None else rules_of(rules),
            keys=None if key is None else (key,),
            first_token_s=first_token_ms / 1000,
            token_s=token_ms / 1000,
        )
        asyncio.run(serve_openai(playing, port=port, on_ready=ready))
