"""The relay with real servers on loopback: what passes, what is kept, and what is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from greenroom.errors import BadSetting, Conflict, Unauthorized
from greenroom.relay import listener as listener_module
from greenroom.relay.listener import Listener, status_of
from greenroom.wire.relay import Replay
from tests.listening import Receiver, a_receiver, listening
from tests.relay.parts import ADA, ADDRESSES, BEARER, RunningRelay, a_machine, a_relay


def an_event(number: int) -> bytes:
    return json.dumps({"type": "app.n", "seq": number, "session": "ses_1"}).encode()


@asynccontextmanager
async def a_socket(relay: RunningRelay) -> AsyncIterator[ClientConnection]:
    """A machine of the test's own making, which answers as the test likes."""
    url = f"ws://127.0.0.1:{relay.port}/listen"
    async with connect(url, additional_headers=BEARER, max_size=None) as socket:
        welcome = json.loads(await socket.recv())
        assert welcome["kind"] == "welcome"
        yield socket


def answered(number: int, status: int = 200) -> str:
    told = {"kind": "answered", "number": number, "status": status, "headers": [], "body": ""}
    return json.dumps(told)


# ---- what passes


async def test_a_request_passes_byte_for_byte_and_so_does_the_answer(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096  # as much as may pass
    seen: list[tuple[str, str, list[tuple[bytes, bytes]], bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        seen.append((request.method, request.url.query, request.headers.raw, await request.body()))
        headers = {"x-of-the-app": "yes", "content-encoding": "gzip", "set-cookie": "a=b"}
        await Response(gzip.compress(b"taken"), 418, headers)(scope, receive, send)

    async with listening(app) as port, a_relay(tmp_path) as relay:
        async with (
            a_machine(relay.url, f"http://127.0.0.1:{port}/hook") as machine,
            httpx.AsyncClient(trust_env=False) as client,
        ):
            answer = await client.put(
                f"{relay.address}?a=1&b=%20",
                content=body,
                headers=[("webhook-id", "msg_1"), ("x-two", "one"), ("X-Two", "two")],
            )
        ((method, query, raw, came),) = seen
        assert (method, query, came) == ("PUT", "a=1&b=%20", body)
        assert (b"webhook-id", b"msg_1") in raw
        assert [value for name, value in raw if name == b"x-two"] == [b"one", b"two"]
        assert dict(raw)[b"host"] == f"127.0.0.1:{port}".encode()
        assert [name for name, _ in raw].count(b"content-length") == 1
        assert (answer.status_code, answer.text) == (418, "taken")
        assert answer.headers["x-of-the-app"] == "yes"
        assert "set-cookie" not in answer.headers
        assert [(p.type, p.status) for p in machine.passed] == [("PUT", 418)]


async def test_a_signature_holds_at_the_other_end(tmp_path: Path) -> None:
    """Greenroom delivers to the relay's address; the application verifies by the library."""
    from greenroom.outbound.sender import HttpSender
    from greenroom.ports.deliveries import Delivery, DeliveryState
    from greenroom.ports.store import StoredEvent
    from greenroom.service.deliveries import Deliverer
    from greenroom.service.letters import SignedEvents
    from tests.listening import an_endpoint

    async with a_receiver() as app, a_relay(tmp_path) as relay:
        async with a_machine(relay.url, app.url) as machine:
            endpoint = an_endpoint(relay.address)
            sender = HttpSender(["127.0.0.1"])
            event = StoredEvent("ses_1", 1, 1.0, "app.answer", {"value": "42 · é"})
            delivery = Delivery(1, "app", event, "ada", DeliveryState.WAITING, 0, 1.0, 1.0, None)
            clock = _RealClock()
            deliverer = Deliverer(None, None, clock, sender, None, [])  # type: ignore[arg-type]
            writer = SignedEvents(endpoint, clock)
            answer, error = await deliverer._try(writer, delivery, await writer.write(delivery))
            assert (answer is not None and answer.status, error) == (204, None)
            await sender.close()
        assert app.taken[0].event["data"] == {"value": "42 · é"}
        assert machine.passed[0].type == "app.answer"


class _RealClock:
    def now(self) -> float:
        import time

        return time.time()


async def test_several_live_requests_pass_at_the_same_time(tmp_path: Path) -> None:
    hold = asyncio.Event()
    async with (
        a_receiver(verify=False, hold=hold) as app,
        a_relay(tmp_path) as relay,
        a_machine(relay.url, app.url),
    ):
        posts = [asyncio.create_task(relay.post(an_event(n))) for n in range(5)]
        await app.until(5)
        hold.set()
        assert {(await post).status_code for post in posts} == {204}


# ---- what is kept


async def test_what_comes_while_nobody_listens_follows_in_order_after_a_restart(
    tmp_path: Path,
) -> None:
    async with a_relay(tmp_path) as relay:
        for number in range(5):
            answer = await relay.post(an_event(number))
            assert (answer.status_code, answer.json()["status"]) == (202, "kept")
    async with a_receiver(verify=False, answers=[500]) as app, a_relay(tmp_path) as relay:
        told = await relay.status()
        assert (told["waiting"], told["listening"], told["most"]) == (5, False, 500)
        assert [kept["type"] for kept in told["kept"]] == ["app.n"] * 5
        async with a_machine(relay.url, app.url) as machine:
            assert machine.welcomes[0].waiting == 5
            await machine.until_passed(5)
            assert app.seqs == [0, 1, 2, 3, 4]
            live = await relay.post(an_event(5))
            assert live.status_code == 204
            assert [p.passing.live for p in machine.passed] == [False] * 5 + [True]
        told = await relay.status()
        assert told["waiting"] == 0
        assert [kept["status"] for kept in told["kept"]] == [500] + [204] * 5


async def test_what_was_kept_waits_until_the_application_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "LOOK_AGAIN_S", 0.01)
    async with a_receiver() as app:
        port = app.port
    async with a_relay(tmp_path) as relay:
        await relay.post(an_event(1))
        async with a_machine(relay.url, f"http://127.0.0.1:{port}/") as machine:
            async with asyncio.timeout(10):
                while not machine.waited:
                    await asyncio.sleep(0.005)
            app = Receiver(verify=False)
            async with listening(app, port=port):
                await machine.until_passed(1)
            assert app.seqs == [1]


async def test_a_live_request_to_an_application_that_is_not_there_is_a_502(tmp_path: Path) -> None:
    # A port that is ours, so that no other test's server gets it, and on which nobody listens.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/webhook"
        async with a_relay(tmp_path) as relay, a_machine(relay.url, url) as machine:
            answer = await relay.post(an_event(1))
            assert (answer.status_code, answer.text) == (502, "The application cannot be reached.")
            assert machine.passed[0].status is None


async def test_the_machine_dials_again_and_gets_what_came_meanwhile(tmp_path: Path) -> None:
    async with a_receiver(verify=False) as app:
        async with a_relay(tmp_path) as relay:
            port = relay.port
            machine_context = a_machine(relay.url, app.url)
            machine = await machine_context.__aenter__()
            assert (await relay.post(an_event(1))).status_code == 204
        try:
            async with a_relay(tmp_path, port=port) as again:
                await again.until_listening()
                assert (await again.post(an_event(2))).status_code == 204
                assert len(machine.welcomes) == 2
                assert machine.away, "somebody was told"
                assert app.seqs == [1, 2]
        finally:
            await machine_context.__aexit__(None, None, None)


async def test_a_machine_that_vanishes_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    async with a_receiver(verify=False) as app, a_relay(tmp_path) as relay:
        async with a_socket(relay) as socket:
            posting = asyncio.create_task(relay.post(an_event(1)))
            assert json.loads(await socket.recv())["number"] == 1
        answer = await posting
        assert (answer.status_code, answer.json()["status"]) == (202, "kept")
        async with a_machine(relay.url, app.url) as machine:
            await machine.until_passed(1)
            assert app.seqs == [1]


async def test_requests_are_replayed_the_last_ones_or_by_number(tmp_path: Path) -> None:
    async with a_receiver(verify=False) as app, a_relay(tmp_path) as relay:
        async with a_machine(relay.url, app.url):
            for number in range(1, 6):
                await relay.post(an_event(number))
        async with a_machine(relay.url, app.url, replay=Replay(last=2)) as machine:
            await machine.until_passed(2)
        numbers = [kept["number"] for kept in (await relay.status())["kept"]]
        async with a_machine(relay.url, app.url, replay=Replay(numbers=numbers[:1])) as machine:
            await machine.until_passed(1)
            assert app.seqs == [1, 2, 3, 4, 5, 4, 5, 1]


async def test_kept_requests_are_forgotten_in_time(tmp_path: Path) -> None:
    async with a_relay(tmp_path, kept_s=60) as relay:
        await relay.post(an_event(1))
        relay.clock.advance(61)
        await relay.post(an_event(2))
        assert (await relay.status())["waiting"] == 1


async def test_when_all_is_full_the_sender_is_told_to_come_again(tmp_path: Path) -> None:
    async with a_relay(tmp_path, kept=3) as relay:
        assert [(await relay.post()).status_code for _ in range(4)] == [202, 202, 202, 503]
        refused = await relay.post()
        assert (refused.json()["code"], "retry-after" in refused.headers) == ("relay_full", True)


async def test_what_has_passed_makes_room_for_what_waits(tmp_path: Path) -> None:
    async with a_receiver(verify=False) as app, a_relay(tmp_path, kept=3) as relay:
        async with a_machine(relay.url, app.url):
            for number in range(5):
                assert (await relay.post(an_event(number))).status_code == 204
        assert len((await relay.status())["kept"]) == 3
        await relay.until_listening(False)
        assert (await relay.post()).status_code == 202


@pytest.mark.parametrize(
    ("bounds", "bodies", "statuses"),
    [
        ({"kept_bytes": 3_000}, [b"x" * 1_000] * 4, [202, 202, 503, 503]),
        ({"all_bytes": 3_000}, [b"x" * 1_000] * 4, [202, 202, 503, 503]),
        ({"addresses": 0}, [b"x"], [503]),
        ({"body_bytes": 10}, [b"x" * 10, b"x" * 11], [202, 413]),
        ({"per_s": 0.5, "burst": 2}, [b"x"] * 3, [202, 202, 429]),
    ],
)
async def test_there_is_a_bound(
    tmp_path: Path, bounds: dict[str, Any], bodies: list[bytes], statuses: list[int]
) -> None:
    async with a_relay(tmp_path, **bounds) as relay:
        assert [(await relay.post(body)).status_code for body in bodies] == statuses


async def test_the_rate_recovers_with_time(tmp_path: Path) -> None:
    async with a_relay(tmp_path, per_s=0.5, burst=1) as relay:
        await relay.post()
        refused = await relay.post()
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        relay.clock.advance(2)
        assert (await relay.post()).status_code == 202


# ---- who may


async def test_there_is_no_other_address_and_no_deeper_one(tmp_path: Path) -> None:
    async with a_relay(tmp_path) as relay, httpx.AsyncClient(base_url=relay.url) as client:
        for path in ("/in/ada", f"/in/ada-{'0' * 20}", "/in/", "/in/%00", f"{relay.address}/more"):
            assert (await client.post(path)).status_code == 404
        assert (await client.get(relay.address)).status_code == 503  # nothing to keep
        assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_only_a_token_listens_and_looks(tmp_path: Path) -> None:
    async with a_relay(tmp_path) as relay:
        url = f"ws://127.0.0.1:{relay.port}/listen"
        for headers in ({}, {"Authorization": "Bearer grl_ada_guess"}, {"Authorization": ADA}):
            with pytest.raises(InvalidStatus):
                await connect(url, additional_headers=headers)
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"{relay.url}/status", headers=headers)
            assert answer.status_code == 401
        with pytest.raises(Unauthorized, match="does not know this token"):
            await _listener(relay.url, "grl_ada_guess").run()
        with pytest.raises(Unauthorized):
            await status_of(relay.url, "grl_ada_guess")
        assert (await status_of(relay.url, ADA)).name == "ada"


def _listener(url: str, token: str) -> Listener:
    return Listener(
        url, token, "http://127.0.0.1:1/", on_welcome=lambda w: None, on_passed=lambda p: None
    )


async def test_what_is_no_relay_is_said() -> None:
    async def no_relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(no_relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "relay.example"):
        with pytest.raises(BadSetting):
            await _listener(url, ADA).run()
        with pytest.raises(BadSetting):
            await status_of(url, ADA)
    server.close()


async def test_of_two_machines_the_newer_listens_and_the_older_stops(tmp_path: Path) -> None:
    async with (
        a_receiver(verify=False) as older,
        a_receiver(verify=False) as newer,
        a_relay(tmp_path) as relay,
        a_machine(relay.url, older.url) as first,
        a_machine(relay.url, newer.url),
    ):
        assert first.task is not None
        with pytest.raises(Conflict):
            await first.task
        assert (await relay.post()).status_code == 204
        assert (len(older.taken), len(newer.taken)) == (0, 1)


# ---- bad machines, bad applications, floods


async def test_a_machine_that_never_answers_costs_a_sender_its_time_and_no_more(
    tmp_path: Path,
) -> None:
    async with (
        a_relay(tmp_path, hop_s=0.3, at_once=4) as relay,
        a_socket(relay) as socket,
    ):
        posts = await asyncio.gather(*(relay.post(an_event(n)) for n in range(20)))
        statuses = [post.status_code for post in posts]
        # Four at a time are handed over, and as these are given up others may take their places;
        # how many, is a matter of milliseconds. Whatever was not handed over is kept for later.
        assert set(statuses) <= {202, 504}
        assert statuses.count(504) >= 4
        told = await relay.status()
        assert told["waiting"] == statuses.count(202)
        assert socket.close_code is None


async def test_an_answer_that_comes_twice_or_late_or_unasked_counts_once(tmp_path: Path) -> None:
    async with a_relay(tmp_path) as relay, a_socket(relay) as socket:
        await socket.send(answered(999))
        for number in (1, 2):
            posting = asyncio.create_task(relay.post(an_event(number)))
            passing = json.loads(await socket.recv())
            await socket.send(answered(passing["number"], 201))
            await socket.send(answered(passing["number"], 500))
            assert (await posting).status_code == 201


@pytest.mark.parametrize(
    "message",
    ["", "{}", "[]", "no json", b"\x00", '{"kind": "answered"}', answered(1, 99), "[" * 100_000],
)
async def test_a_machine_that_talks_nonsense_is_hung_up_on(
    tmp_path: Path, message: str | bytes
) -> None:
    async with a_relay(tmp_path) as relay:
        async with a_socket(relay) as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(10):
                    await socket.recv()
            assert socket.close_code == 1002
        await relay.until_listening(False)
        assert (await relay.post()).status_code == 202


async def test_an_answer_that_is_too_large_is_not_passed_on(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Response(b"x" * (1024 * 1024 + 1))(scope, receive, send)

    async with listening(app) as port, a_relay(tmp_path) as relay:
        async with a_machine(relay.url, f"http://127.0.0.1:{port}/"):
            answer = await relay.post()
        assert (answer.status_code, answer.text) == (
            502,
            "The application's answer is too large.",
        )


async def test_an_application_that_hangs_is_a_504_and_the_next_one_passes(tmp_path: Path) -> None:
    hold = asyncio.Event()
    async with (
        a_receiver(verify=False, hold=hold) as app,
        a_relay(tmp_path) as relay,
        a_machine(relay.url, app.url, within_s=2.0),
    ):
        answer = await relay.post(an_event(1))
        assert answer.status_code == 504
        hold.set()
        assert (await relay.post(an_event(2))).status_code == 204


async def test_a_flood_is_passed_or_refused_and_never_lost(tmp_path: Path) -> None:
    """A hundred at once; each that was taken arrives, each that was not knows it."""
    async with a_receiver(verify=False) as app, a_relay(tmp_path, burst=80) as relay:
        async with a_machine(relay.url, app.url):
            limits = httpx.Limits(max_connections=30)
            async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=60) as client:
                posts = await asyncio.gather(
                    *(client.post(relay.address, content=an_event(n)) for n in range(100))
                )
        statuses = [post.status_code for post in posts]
        assert sorted(set(statuses)) == [204, 429]
        assert statuses.count(204) == 80
        taken = sorted(n for n, status in enumerate(statuses) if status == 204)
        assert sorted(app.seqs) == taken


async def test_a_header_or_type_with_control_characters_does_not_reach_the_terminal(
    tmp_path: Path,
) -> None:
    async with a_receiver(verify=False) as app, a_relay(tmp_path) as relay:
        async with a_machine(relay.url, app.url) as machine:
            await relay.post(json.dumps({"type": "\x1b[2Jevil\r\n", "seq": 1}).encode())
            await relay.post(b"[" * 100_000)
        assert [passed.type for passed in machine.passed] == ["[2Jevil", "POST"]


async def test_logs_name_who_listens_and_neither_address_nor_token(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with a_relay(tmp_path) as relay, a_socket(relay):
            await relay.status()
    told = str(logs)
    assert "ada" in told
    assert ADDRESSES.address_of("ada")[-20:] not in told
    assert ADA not in told
