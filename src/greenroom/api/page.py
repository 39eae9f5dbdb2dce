"""The built page and the API's description, served from this machine alone."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenroom.wire.link import RoomKind

PAGE = Path(__file__).parent.parent / "page"

_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Greenroom</title>
<h1>The page is not built yet</h1><p>Run <code>make run</code>, which builds it. The API works:
see <a href="/docs">/docs</a>.</p></html>"""

# Everything comes from this server; only the audio and the event socket go elsewhere in it.
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws: wss:{connect}; media-src 'self' blob: mediastream:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'{more}"
)
# daily-js loads the rest of itself from c.daily.co, as a script, and speaks to servers of Daily's
# (https://docs.daily.co/docs/guides/privacy-and-security/content-security-policy; which, stands at
# https://docs.daily.co/reference/daily-js/instance-methods/set-proxy-url).
_POLICIES = {
    RoomKind.LOCAL: _PAGE_POLICY.format(connect="", more=""),
    RoomKind.DAILY: _PAGE_POLICY.format(
        connect=" https://*.daily.co https://prod-ks.pluot.blue",
        more="; script-src 'self' https://c.daily.co",
    ),
}


def install_page(app: FastAPI) -> None:
    """Serve the built page at ``/`` and the API's description at ``/docs``."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Greenroom's API",
            swagger_js_url="/docs-assets/swagger-ui-bundle.js",
            swagger_css_url="/docs-assets/swagger-ui.css",
            swagger_favicon_url="/favicon.svg",
        )

    if (PAGE / "index.html").is_file():
        app.mount("/", _Built(directory=PAGE, html=True), name="page")
    else:

        @app.get("/", include_in_schema=False)
        async def not_built() -> HTMLResponse:
            return HTMLResponse(_NOT_BUILT, status_code=503)


class _Built(StaticFiles):
    """The built files, which a browser keeps for no longer than they are the newest.

    Left to itself it would show last month's page for days, whose parts are no longer here.
    """

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        # What is in there has a name of its own for each content.
        named = Path(full_path).parent.name == "assets"
        kept = "public, max-age=31536000, immutable" if named else "no-cache"
        response.headers["cache-control"] = kept
        return response


class SecurityHeaders:
    """Adds the headers that keep a page and answers to themselves. Pure ASGI: sockets pay nothing.

    No answer is kept by a browser or a proxy unless it says so itself: answers are somebody's
    words and tokens, and a page that is come back to by “Back” would be given its old ones.

    Args:
        app: What answers.
        room_kind: Where people meet: on Daily, the page needs Daily's code.
    """

    def __init__(self, app: ASGIApp, room_kind: RoomKind) -> None:
        self._app = app
        self._policy = _POLICIES[room_kind].encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with headers on every HTTP answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"microphone=(self), camera=()"),
        ]
        if scope["path"] != "/docs":  # its page starts with an inline script
            headers.append((b"content-security-policy", self._policy))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                unsaid = "cache-control" not in Headers(raw=list(given))
                kept = [(b"cache-control", b"no-store")] if unsaid else []
                message = {**message, "headers": [*given, *headers, *kept]}
            await send(message)

        await self._app(scope, receive, with_headers)
