"""Posting to endpoints: only to what was checked, and never for long. Real servers on loopback."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from greenroom.errors import BadSetting
from greenroom.outbound.network import Resolver
from greenroom.outbound.sender import MAX_ANSWER_BYTES, HttpSender
from greenroom.ports.deliveries import Undelivered
from tests.listening import Receiver, a_receiver, an_endpoint, listening


class Names:
    """A name server that gives one answer after the other, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return list(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@asynccontextmanager
async def a_sender(*allowed: str, **given: object) -> AsyncIterator[HttpSender]:
    sender = HttpSender(allowed, **given)  # type: ignore[arg-type]
    yield sender
    await sender.close()


async def test_a_post_arrives_as_it_is_and_the_connection_is_used_again() -> None:
    names = Names(["127.0.0.1"])
    async with a_receiver(verify=False) as app, a_sender("app.test", resolve=names) as sender:
        endpoint = an_endpoint(f"http://app.test:{app.port}/hook?key=1")
        for number in range(3):
            body = f'{{"number": {number}}}'.encode()
            answer = await sender.send(endpoint, {"webhook-id": f"msg_{number}"}, body)
            assert answer.status == 204
            assert app.taken[-1].body == body
            assert app.taken[-1].headers["host"] == f"app.test:{app.port}"
            assert app.taken[-1].headers["webhook-id"] == f"msg_{number}"
    assert names.asked == ["app.test"], "one connection, one look-up"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["93.184.216.34", "169.254.169.254"],
        ["169.254.169.254", "93.184.216.34"],
        ["fd00::1"],
    ],
)
async def test_a_name_with_any_private_address_is_refused(addresses: list[str]) -> None:
    """FAILURES 29."""
    async with a_receiver() as app, a_sender(resolve=Names(addresses)) as sender:
        with pytest.raises(Undelivered, match=r"not a public address.*GREENROOM_WEBHOOK_ALLOW"):
            await sender.send(an_endpoint(f"http://app.test:{app.port}/"), {}, b"")
        assert app.taken == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0"])
async def test_this_machine_is_refused_by_the_systems_resolver(host: str) -> None:
    async with a_receiver() as app, a_sender() as sender:
        with pytest.raises(Undelivered, match="not a public address"):
            await sender.send(an_endpoint(f"http://{host}:{app.port}/"), {}, b"")
        assert app.taken == []


async def test_a_name_that_changes_its_address_is_asked_once_and_held_to_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FAILURES 29."""
    """DNS rebinding: public when checked, loopback when connected to, if one asked again."""
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    connected: list[str] = []

    async def connect(self: object, host: str, *more: object) -> object:
        connected.append(host)
        raise OSError("this test goes nowhere")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    async with a_sender(resolve=names) as sender:
        with pytest.raises(Undelivered):
            await sender.send(an_endpoint("https://rebinds.test/"), {}, b"")
        with pytest.raises(Undelivered, match=r"127\.0\.0\.1, which is not a public"):
            await sender.send(an_endpoint("https://rebinds.test/"), {}, b"")
    assert connected == ["93.184.216.34"]
    assert names.asked == ["rebinds.test"] * 2


async def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    async with a_receiver(verify=False) as app:
        names = Names(["127.0.0.99", "127.0.0.1"])  # the app listens on the second only
        async with a_sender("app.test", resolve=names) as sender:
            endpoint = an_endpoint(f"http://app.test:{app.port}/")
            assert (await sender.send(endpoint, {}, b"")).status == 204


async def test_a_redirect_is_told_and_not_followed() -> None:
    async with a_receiver(verify=False) as inner, a_receiver(verify=False) as app:
        app.always = 307
        app.headers = {"location": inner.url}
        async with a_sender("127.0.0.1") as sender:
            assert (await sender.send(an_endpoint(app.url), {}, b"")).status == 307
        assert inner.taken == []


async def test_an_app_that_never_answers_is_given_up_in_time() -> None:
    async with (
        a_receiver(verify=False, hold=asyncio.Event()) as app,
        a_sender("127.0.0.1", within_s=0.2) as sender,
    ):
        with pytest.raises(Undelivered, match=r"no answer within 0\.2 s"):
            await sender.send(an_endpoint(app.url), {}, b"")
        assert len(app.taken) == 1


async def test_nobody_at_the_address_and_no_such_name_are_told_apart() -> None:
    async with a_receiver() as app:
        free_port = app.port
    async with a_sender("127.0.0.1", "nowhere.invalid") as sender:
        with pytest.raises(Undelivered):
            await sender.send(an_endpoint(f"http://127.0.0.1:{free_port}/"), {}, b"")
        with pytest.raises(Undelivered, match="no such host"):
            await sender.send(an_endpoint("http://nowhere.invalid/"), {}, b"")
        for no_name in ("https://a..example/", f"https://{'a' * 70}.example/"):
            with pytest.raises(Undelivered):
                await sender.send(an_endpoint(no_name), {}, b"")


async def test_an_answer_without_end_is_not_received() -> None:
    sent_bytes = 0
    gone = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 8192)
                sent_bytes += 8192
                await writer.drain()
        except OSError:
            gone.set()
        finally:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with a_sender("127.0.0.1") as sender:
        answer = await sender.send(an_endpoint(f"http://127.0.0.1:{port}/"), {}, b"")
        assert answer.status == 200
        async with asyncio.timeout(5):
            await gone.wait()
    server.close()
    assert sent_bytes < MAX_ANSWER_BYTES + 16 * 1024 * 1024, "what the kernel's buffers hold"


async def test_a_wish_for_a_later_try_is_read() -> None:
    async with a_receiver(verify=False, always=503) as app, a_sender("127.0.0.1") as sender:
        for told, read in (("120", 120.0), ("soon", None), ("9" * 400, None), ("-1", None)):
            app.headers = {"retry-after": told}
            answer = await sender.send(an_endpoint(app.url), {}, b"")
            assert (answer.status, answer.retry_after_s) == (503, read)


# ---- TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a certificate for a host's name, signed by itself, with its key."""

    def made(host: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
        signed = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / f"{host}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        return path

    return made


async def test_https_proves_the_name_though_an_address_is_connected_to(
    certificate: Callable[[str], Path],
) -> None:
    pem = certificate("app.test")
    trusting = ssl.create_default_context(cafile=str(pem))
    names = Names(["127.0.0.1"])
    async with an_https_receiver(pem) as app:
        async with a_sender("app.test", "other.test", resolve=names, tls=trusting) as sender:
            right = an_endpoint(f"https://app.test:{app.port}/")
            assert (await sender.send(right, {}, b"")).status == 204
            wrong = an_endpoint(f"https://other.test:{app.port}/", name="other")
            with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
                await sender.send(wrong, {}, b"")
        async with a_sender("app.test", resolve=names) as sender:
            with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
                await sender.send(right, {}, b"")
        assert len(app.taken) == 1


@asynccontextmanager
async def an_https_receiver(pem: Path) -> AsyncIterator[Receiver]:
    receiver = Receiver(verify=False)
    async with listening(receiver, ssl_certfile=pem, ssl_keyfile=pem) as receiver.port:
        yield receiver


# ---- at start-up, and the resolver


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://169.254.169.254/latest",
        "https://localhost:3051/webhook",
        "https://app.localhost/webhook",
    ],
)
def test_what_needs_no_look_up_is_refused_at_the_start(url: str) -> None:
    endpoint = an_endpoint(url)
    with pytest.raises(BadSetting, match="GREENROOM_WEBHOOK_ALLOW"):
        HttpSender([]).check(endpoint)
    HttpSender([endpoint.host]).check(endpoint)


def test_a_public_https_address_is_taken() -> None:
    HttpSender([]).check(an_endpoint("https://app.example.com/hook"))
    HttpSender(["LOCALHOST"]).check(an_endpoint("http://LocalHost:3051/hook"))


async def test_look_ups_that_hang_are_given_up_and_hold_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    go_on = threading.Event()

    def look_up(host: str, port: int) -> list[str]:
        if host == "hangs.test":
            go_on.wait(30)
        return ["127.0.0.1"]

    monkeypatch.setattr("greenroom.outbound.network._look_up", look_up)
    async with a_receiver(verify=False) as app, a_sender("fine.test", within_s=0.5) as sender:
        hanging = [sender.send(an_endpoint("https://hangs.test/"), {}, b"") for _ in range(10)]
        fine = an_endpoint(f"http://fine.test:{app.port}/", name="fine")
        *gave_up, answer = await asyncio.gather(
            *hanging, sender.send(fine, {}, b""), return_exceptions=True
        )
        go_on.set()
    assert not isinstance(answer, BaseException)
    assert answer.status == 204
    assert {str(error) for error in gave_up} == {"no answer within 0.5 s"}


async def test_the_resolver_knows_this_machine() -> None:
    resolver = Resolver()
    assert "127.0.0.1" in await resolver("localhost", 80)
    resolver.close()
