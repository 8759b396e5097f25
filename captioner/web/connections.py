"""The server, with limits on connections for which uvicorn has no settings."""

import asyncio
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 100  # maximum of connections, below the limit of file descriptors
BACKLOG = 32  # connections that are accepted before the first of them is looked at
HEAD = 10.0  # seconds that the head of a request may take, and a connection may be idle
EXCHANGE = 180.0  # seconds after that in which the answer must have been read
STOP = 10  # seconds that a clean stop may take


class LimitedConnection(H11Protocol):
    """Closes connections above the limit, and those that send or read too slowly."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.abort()
        else:
            self._set_deadline(HEAD, self._end_of_head)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._set_deadline(HEAD, self._end_of_head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _set_deadline(self, seconds: float, act: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, act)

    def _end_of_head(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._set_deadline(EXCHANGE, self.transport.abort)


def new_server(app: ASGIApp) -> uvicorn.Server:
    """A server of an application. It logs only its own defects."""
    config = uvicorn.Config(
        app,
        http=LimitedConnection,
        ws="none",
        backlog=BACKLOG,
        log_level="error",
        server_header=False,
        timeout_graceful_shutdown=STOP,
    )
    return uvicorn.Server(config)
