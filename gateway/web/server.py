"""HTTP for people and monitoring: status page, metrics, health. It only looks, but for what a person has counted."""

import asyncio
import base64
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from config.addresses import is_loopback
from gateway.domain.epctext import EpcTextError
from gateway.domain.recount import NotAtRestError, RecountError
from gateway.metrics import registry_of, render
from gateway.parts import Parts
from gateway.shelf_view import bin_view
from gateway.trace.capture import MAGIC
from gateway.trace.recorder import Recorder
from gateway.web import views
from gateway.web.page import page

log = logging.getLogger(__name__)

ANY_HOST = "0.0.0.0"  # noqa: S104 - it is compared with, not listened on
LOOPBACK_HOST = "127.0.0.1"
# A client that takes its page slowly does not hold up a stop for longer.
STOP_LIMIT_S = 1.0
# A token is what a dashboard has, and stock is what it may see: single items stay in the shop.
TELL_SERIALS = ("/api/items/", "/api/capture")
# Whether it lives is no secret, and who probes it (a load balancer) has no token.
OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
LOOKS = frozenset({"GET", "HEAD"})
# What a person says is short.
MAX_BODY_BYTES = 4_096
ASK_FOR_TOKEN = {"WWW-Authenticate": 'Basic realm="tallygate", charset="UTF-8"'}


def from_here(request: web.Request) -> bool:
    """Asked by a program on this machine, for itself: through no proxy, and under no name but this machine's own."""
    try:
        is_here = ip_address(request.remote or "").is_loopback
        host = urlsplit(f"//{request.host}").hostname or ""
        names_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
    return is_here and names_here and not any(name in request.headers for name in ("Forwarded", "X-Forwarded-For"))


def _guard(gateway: Parts) -> Middleware:
    """Lets in who is on this machine, asks only for life, or shows the token; where there is none: this machine only.

    As a bearer token, or as the password of HTTP Basic, which browsers can.
    """
    secret = gateway.config.http.token
    token = secret.get_secret_value().encode() if secret is not None else None

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = _token_of(request.headers.get("Authorization", ""))
        if request.path.startswith(TELL_SERIALS) and not from_here(request):
            text = "serial numbers are told to this machine only, whoever asks"
            return _not_from_here(text)
        if request.method not in LOOKS and not from_here(request):
            return _not_from_here("what changes a count is taken from this machine only, whoever says it")
        known = token is not None and shown is not None and hmac.compare_digest(shown, token)
        if known or request.path in OPEN_TO_ALL or from_here(request):
            return await handler(request)
        told = {"error": "no token", "text": "a token is needed: http.token_file"}
        return web.json_response(told, status=401, headers=ASK_FOR_TOKEN)

    return guard


def _not_from_here(text: str) -> web.Response:
    hint = "ask on the gateway's own machine, on 127.0.0.1"
    return _refusal(403, "not from here", text, hint)


def _refusal(status: int, error: str, text: str, hint: str) -> web.Response:
    return web.json_response({"error": error, "text": text, "hint": hint}, status=status)


def _token_of(header: str) -> bytes | None:
    """What the Authorization header shows, None where it makes no sense."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode(errors="replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except ValueError:
            return None
    return None


def _item_of(gateway: Parts) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def item(request: web.Request) -> web.Response:
        """Serial numbers: the guard has seen that whoever asks is on this machine."""
        try:
            found = views.item(gateway, request.match_info["item"])
        except EpcTextError as error:
            return _refusal(400, "no item", str(error), error.hint)
        if found is None:
            return web.json_response({"error": "unknown item", "text": "it was not read lately"}, status=404)
        return web.json_response(found)

    return item


# A page that some browser on this machine shows cannot send this type unasked: it would have to ask first, in vain.
BODY_TYPE = "application/json"
RECOUNT = 'a JSON object: {"pieces": {"09506000134352": 12}}'


def _recount_of(gateway: Parts) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of `POST /api/shelves/READER/CHANNEL`; the guard has seen that it is asked on this machine."""

    async def recount(request: web.Request) -> web.Response:
        if request.content_type != BODY_TYPE:
            return _refusal(415, "not JSON", f"expected {RECOUNT}", f"Content-Type: {BODY_TYPE}")
        try:
            pieces = _pieces_in(await request.json())
        except ValueError:
            return _refusal(400, "bad request", f"expected {RECOUNT}", "whole numbers of pieces, of each product")
        reader, channel = request.match_info["reader"], int(request.match_info["channel"])
        try:
            made = await gateway.line.recount((reader, channel), pieces)
        except KeyError:
            return _refusal(404, "no such bin", f"no bin {reader}:{channel}", "tallygate shelf show lists them")
        except RecountError as error:
            status = 409 if isinstance(error, NotAtRestError) else 400
            return _refusal(status, "not recounted", f"{reader}:{channel}: {error}", error.hint)
        shown = bin_view(gateway.shelves.bins[reader, channel], None)
        told = {"before": made.before, "zero_moved_g": round(made.zero_moved_g, 1)}
        return web.json_response(shown | told)

    return recount


def _pieces_in(body: Any) -> dict[str, int]:
    """The pieces of each GTIN. Raises ValueError where it says something else."""
    pieces = body.get("pieces") if isinstance(body, dict) else None
    if not isinstance(pieces, dict) or not all(type(count) is int for count in pieces.values()):
        raise ValueError("no counts of pieces")
    return pieces


# Each capture costs memory and a share of the loop; whoever needs more reads the file of another.
MAX_CAPTURES = 4
RECORDERS: web.AppKey[set[Recorder]] = web.AppKey("recorders", set)


def _capture_of(gateway: Parts) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def capture(request: web.Request) -> web.StreamResponse:
        """What readers say, as it comes, until the client goes."""
        recorders = request.app[RECORDERS]
        if len(recorders) >= MAX_CAPTURES:
            return web.json_response({"error": "busy", "text": f"{MAX_CAPTURES} captures are running"}, status=503)
        recorder = Recorder(gateway.clock, views.about(gateway), gateway.fleet.states())
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        recorders.add(recorder)
        gateway.fleet.listeners.append(recorder.put)
        try:
            await response.prepare(request)
            await response.write(MAGIC)
            async for block in recorder.blocks():
                await response.write(block)
        except ConnectionError:
            log.debug("http: a capture was ended by its client")
        finally:
            gateway.fleet.listeners.remove(recorder.put)
            recorders.discard(recorder)
        return response

    return capture


async def _end_captures(app: web.Application) -> None:
    for recorder in app[RECORDERS]:
        recorder.close()


def application(gateway: Parts) -> web.Application:
    """The routes over one gateway."""
    registry = registry_of(gateway)

    async def status_page(_: web.Request) -> web.Response:
        return web.Response(text=page(gateway), content_type="text/html")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=render(registry), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def healthz(_: web.Request) -> web.Response:
        trouble = gateway.health.trouble()
        return web.Response(text=f"{trouble or 'ok'}\n", status=503 if trouble else 200)

    async def readyz(_: web.Request) -> web.Response:
        ready = gateway.health.ready
        return web.Response(text="ok\n" if ready else "starting\n", status=200 if ready else 503)

    async def api(request: web.Request) -> web.Response:
        view = views.VIEWS.get(request.match_info["view"])
        if view is None:
            known = ", ".join(sorted(views.VIEWS))
            return web.json_response({"error": "unknown view", "text": f"known: {known}"}, status=404)
        # The stock may have ten thousands of rows: they are put into words beside the loop.
        body = await asyncio.to_thread(json.dumps, view(gateway))
        return web.Response(text=body, content_type="application/json")

    app = web.Application(middlewares=[_guard(gateway)], client_max_size=MAX_BODY_BYTES)
    app[RECORDERS] = set()
    app.on_shutdown.append(_end_captures)
    app.add_routes(
        [
            web.get("/", status_page),
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/api/capture", _capture_of(gateway)),
            web.get("/api/{view}", api),
            web.get("/api/items/{item:.+}", _item_of(gateway)),
            web.post(r"/api/shelves/{reader}/{channel:\d{1,5}}", _recount_of(gateway)),
        ]
    )
    return app


async def _listen(runner: web.AppRunner, host: str, port: int) -> bool:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        log.error("http: cannot listen on %s:%s: %s (choose another http.listen)", host, port, error)  # noqa: TRY400
        return False
    log.info("http: status page and metrics on http://%s:%s/", host, runner.addresses[-1][1])
    return True


@asynccontextmanager
async def serve_http(gateway: Parts, listen: tuple[str, int]) -> AsyncIterator[None]:
    """Serve while the context lasts. A taken port is logged, never fatal: counting does not depend on a page."""
    runner = web.AppRunner(application(gateway), access_log=None, handle_signals=False, shutdown_timeout=STOP_LIMIT_S)
    await runner.setup()
    host, port = listen
    if await _listen(runner, host, port):
        gateway.http_address = runner.addresses[0]
        # The verbs of this machine ask here, and only here serial numbers are told.
        if host != ANY_HOST and not is_loopback(host):
            await _listen(runner, LOOPBACK_HOST, gateway.http_address[1])
    try:
        yield
    finally:
        await runner.cleanup()
