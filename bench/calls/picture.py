"""Draws where the milliseconds between the click and the first sound go, as SVG by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.calls.caller import Call
from bench.calls.figures import median, of_setup
from bench.calls.peers import GREENROOM_OWN, GREENROOM_STOCK, RUNNER

TITLES = {
    RUNNER: "Pipecat's runner, stock client",
    GREENROOM_STOCK: "Greenroom, stock client",
    GREENROOM_OWN: "Greenroom, its own client",
}
# What ends each stage; a set-up that does not have a step goes on to the next.
STAGES = (
    ("start answered", "microphone, then /start", "#c9b8a4"),
    ("offer sent", "the page makes its offer", "#e0a458"),
    ("answer taken", "the offer is answered", "#d1603d"),
    ("ice connected", "ICE", "#7a9e9f"),
    ("connected", "DTLS", "#4f6d7a"),
    ("first sound", "until it is heard", "#2f3e46"),
)
TICKS = {
    "bot begun": "bot() begins",
    "bot ready": "pipeline made",
    "voice made": "first words made",
}

_LEFT, _WIDTH, _BAR, _ROW, _TOP = 215, 640, 30, 84, 64


def first_sound(calls: Sequence[Call], together: int = 1) -> str:
    """The picture of the calls that began so many at a time: medians, one bar a set-up."""
    rows = [(name, of_setup(calls, name, together)) for name in TITLES]
    rows = [(name, found) for name, found in rows if found]
    longest_ms = max(_step(found, "first sound") or 0.0 for _, found in rows)
    scale = _WIDTH / (100 * (int(longest_ms / 100) + 1))
    height = _TOP + _ROW * len(rows) + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 70} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        "<title>Where the milliseconds between the click and the first sound go</title>",
        f'<rect width="100%" height="{height}" fill="#fff"/>',
        _text(12, 26, "From the click to the first sound: medians, milliseconds", size=16),
        *_grid(scale, _TOP + _ROW * len(rows)),
    ]
    for index, (name, found) in enumerate(rows):
        parts += _row(_TOP + index * _ROW, TITLES[name], found, scale)
    parts += _legend(_TOP + _ROW * len(rows) + 30)
    return "\n".join([*parts, "</svg>\n"])


def _step(calls: Sequence[Call], step: str) -> float | None:
    if step == "first sound":
        return median([call.first_sound_ms for call in calls])
    reached = [call.steps[step] for call in calls if step in call.steps]
    return median(reached) if reached else None


def _row(top: float, title: str, calls: Sequence[Call], scale: float) -> list[str]:
    parts = [_text(_LEFT - 10, top + 20, title, anchor="end")]
    before_ms = 0.0
    for step, what, colour in STAGES:
        at_ms = _step(calls, step)
        # What was ready before the click, or before the stage in front of it, took no time.
        if at_ms is None or at_ms <= before_ms:
            continue
        x, width = _LEFT + before_ms * scale, (at_ms - before_ms) * scale
        parts.append(
            f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}">'
            f"<title>{escape(what)}: {at_ms - before_ms:.0f} ms</title></rect>"
        )
        if width > 24:
            middle = x + width / 2
            parts.append(
                _text(middle, top + 20, f"{at_ms - before_ms:.0f}", anchor="middle", fill="#fff")
            )
        before_ms = at_ms
    parts.append(_text(_LEFT + before_ms * scale + 6, top + 20, f"{before_ms:.0f}", size=15))
    return parts + _ticks(top + _BAR, calls, scale)


def _ticks(top: float, calls: Sequence[Call], scale: float) -> list[str]:
    """What the bot does meanwhile, under the bar: labels on two lines, so that they keep apart."""
    parts = []
    for index, (step, label) in enumerate(TICKS.items()):
        at_ms = _step(calls, step)
        if at_ms is None:
            continue
        x = _LEFT + at_ms * scale
        down = 10 + 13 * (index % 2)
        parts.append(
            f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + down - 3}" stroke="#888"/>'
        )
        text = f"{label} {at_ms:.0f}"
        anchor = "end" if index == 0 else "start"
        parts.append(_text(x, top + down + 8, text, anchor=anchor, size=11, fill="#555"))
    return parts


def _grid(scale: float, bottom: float) -> list[str]:
    parts = []
    for at_ms in range(0, int(_WIDTH / scale) + 1, 100):
        x = _LEFT + at_ms * scale
        parts.append(
            f'<line x1="{x:.1f}" y1="{_TOP - 12}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>'
        )
        parts.append(_text(x, _TOP - 16, str(at_ms), anchor="middle", size=11, fill="#555"))
    return parts


def _legend(top: float) -> list[str]:
    parts, x = [], 12.0
    for _, what, colour in STAGES:
        parts.append(f'<rect x="{x:.0f}" y="{top - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 17, top, what, size=12))
        x += 30 + 6.6 * len(what)
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 13,
    fill: str = "#222",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{fill}">{escape(text)}</text>'
    )
