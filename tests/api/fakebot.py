"""A bot that speaks the link by hand, message by message."""

from __future__ import annotations

from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from greenroom.ports.launcher import LaunchOrder
from greenroom.wire.base import WireModel
from greenroom.wire.link import (
    Answer,
    BotLevel,
    Hello,
    Offer,
    Report,
    ReportAck,
    ReportKind,
    Welcome,
    to_bot,
)
from tests.conftest import House


class FakeBot:
    """One connection of one launch."""

    def __init__(self, socket: ClientConnection, launch_id: str) -> None:
        self.socket = socket
        self.launch_id = launch_id
        self.seq = 0

    @classmethod
    async def dial(cls, house: House, launch_id: str, secret: str | None = None) -> FakeBot:
        right = house.parts.keyring.launch_secret(launch_id)
        headers = {
            "Authorization": f"Bearer {right if secret is None else secret}",
            "X-Greenroom-Launch": launch_id,
        }
        url = house.address.replace("http", "ws") + "/link"
        return cls(await connect(url, additional_headers=headers, proxy=None), launch_id)

    @classmethod
    async def join(cls, house: House, order: LaunchOrder) -> FakeBot:
        """Dial and be welcomed."""
        bot = await cls.dial(house, order.launch_id)
        welcome = await bot.hello()
        bot.seq = welcome.report_seq
        return bot

    async def hello(self) -> Welcome:
        await self.send(Hello(launch_id=self.launch_id, pid=1, level=BotLevel.ATTACHED))
        welcome = await self.receive()
        assert isinstance(welcome, Welcome)
        return welcome

    async def send(self, message: WireModel) -> None:
        await self.socket.send(message.to_json())

    async def receive(self) -> WireModel:
        message: WireModel = to_bot.validate_json(await self.socket.recv())
        return message

    async def send_report(self, kind: ReportKind, **data: Any) -> None:
        """Report without waiting for what comes of it."""
        self.seq += 1
        await self.send(Report(seq=self.seq, at_ms=0, kind=kind, data=data))

    async def report(self, kind: ReportKind, **data: Any) -> None:
        """Report, and wait until it is on record."""
        await self.send_report(kind, **data)
        assert await self.receive() == ReportAck(seq=self.seq)

    async def answer_offer(self, sdp: str = "v=0 answer") -> Offer:
        offer = await self.receive()
        assert isinstance(offer, Offer)
        await self.send(Answer(offer_id=offer.offer_id, sdp=sdp, pc_id="pc-1"))
        return offer

    async def close(self) -> None:
        await self.socket.close()
