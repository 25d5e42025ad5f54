"""HTTP around a service: validate, answer off the event loop, persist, say what went wrong."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from whence.engine.pool import THREAD_VARIABLES
from whence.errors import ConfigError
from whence.serve.runtime import Runtime, open_runtime

if TYPE_CHECKING:
    from pydantic import ValidationError
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    from whence.engine.project import Project

BODY_LIMIT = 1024 * 1024  # bytes of one request

_log = logging.getLogger("whence.serve")


def make_app(runtime: Runtime) -> Starlette:
    """The ASGI application of one service.

    ``POST /v1/NAME/predict`` answers, ``GET /v1/NAME`` describes (JSON schema of a request, the
    build that answers, digests of what it uses), ``GET /health`` says that it is up.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.exceptions import HTTPException
        from starlette.responses import JSONResponse
        from starlette.routing import Route
    except ModuleNotFoundError as error:
        raise _extra_missing(error) from error
    from pydantic import ValidationError

    async def predict(request: Request) -> JSONResponse:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise HTTPException(413, f"the request is larger than {BODY_LIMIT:,} bytes")
        try:
            asked = runtime.request_model.model_validate_json(bytes(body))
        except ValidationError as error:
            return JSONResponse(_problems(error), 422)
        try:
            made = await run_in_threadpool(runtime.predict, asked)
        except Exception:  # noqa: BLE001 (code of the service: the caller gets no traceback)
            _log.exception("Service '%s' failed on %s", runtime.service, bytes(body[:1000]))
            return JSONResponse({"error": "the service failed on this request; see its log"}, 500)
        return JSONResponse(made.to_json())

    async def describe(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "service": runtime.service,
                "release": runtime.release,
                "doc": runtime.doc,
                "uses": dict(runtime.inputs),
                "request": runtime.request_model.model_json_schema(),
            }
        )

    async def health(request: Request) -> JSONResponse:
        return JSONResponse(
            {"status": "ok", "service": runtime.service, "release": runtime.release}
        )

    async def fault(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _http_fault(runtime, request, error)

    return Starlette(
        routes=[
            Route(f"/v1/{runtime.service}/predict", predict, methods=["POST"]),
            Route(f"/v1/{runtime.service}", describe),
            Route("/health", health),
        ],
        exception_handlers={HTTPException: fault},
    )


def _http_fault(runtime: Runtime, request: Request, error: HTTPException) -> JSONResponse:
    from starlette.responses import JSONResponse

    body: dict[str, Any] = {"error": error.detail}
    if error.status_code == 404:
        body = {
            "error": f"nothing is at {request.url.path}",
            "paths": [f"/v1/{runtime.service}/predict", f"/v1/{runtime.service}", "/health"],
        }
    return JSONResponse(body, error.status_code, error.headers)


def _problems(error: ValidationError) -> dict[str, Any]:
    """Every field that is wrong, not only the first."""
    fields = [
        {
            "field": ".".join(str(part) for part in problem["loc"]) or "(body)",
            "problem": problem["msg"],
        }
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return {"error": f"{len(fields)} field(s) of the request are wrong", "fields": fields}


def serve(
    project: Project,
    service: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    announce: Callable[[str, Runtime], None],
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    project : Project
    service : str
    host : str
    port : int
        0 takes a free one.
    announce : callable
        Called once with the address, "http://127.0.0.1:8000", when requests are accepted.

    Raises
    ------
    UnknownId, ConfigError
        See `open_runtime`; or the port is taken.
    """
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise _extra_missing(error) from error

    # One row needs one thread; more would only wait for one another between requests.
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    os.chdir(project.config.root)  # as in a build: relative paths start at the project's root
    runtime = open_runtime(project, service)
    app = make_app(runtime)
    listening = _listen(host, port)
    with listening:
        name = f"[{host}]" if ":" in host else host
        announce(f"http://{name}:{listening.getsockname()[1]}", runtime)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            _log.info("stopped")  # uvicorn finished its requests, then told of the Ctrl-C


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"The service cannot listen on {host}:{port}: {error}.",
            "choose another one: --port 0 takes a free port.",
        ) from error
    return listening


def _extra_missing(error: ModuleNotFoundError) -> ConfigError:
    return ConfigError(
        f"Serving needs the package '{error.name}', which is not installed.",
        "pip install 'whence[serve]'.",
    )


__all__ = ["make_app", "serve"]
