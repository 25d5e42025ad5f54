"""A service validates, answers, keeps each prediction, and says what is wrong with a request."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import BaseModel, Field

from whence.engine.project import Project
from whence.errors import ConfigError
from whence.serve import service
from whence.serve.app import BODY_LIMIT, _listen, make_app
from whence.serve.runtime import Runtime

PIPELINE = "import whence as wh\n\n@wh.node\ndef base() -> int:\n    return 40\n"


class Order(BaseModel):
    amount: int = Field(ge=0)
    name: str


def total(base: int, request: Order) -> dict[str, Any]:
    """The base and the amount."""
    if request.name == "boom":
        raise RuntimeError("a secret detail")
    if request.name == "nan":
        return {"sum": float("nan")}
    if request.name == "object":
        return {"sum": object()}
    return {"sum": np.int64(base + request.amount), "list": np.arange(2.0), "name": request.name}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    root = tmp_path_factory.mktemp("served")
    (root / "pyproject.toml").write_text('[tool.whence]\npipeline = "pipe"\n')
    (root / "pipe.py").write_text(PIPELINE)
    with Project.open(root) as project:
        build = project.build(jobs=1)
        assert build.id == "b1"
        yield Runtime(project, "total", 1, total, Order, {"base": 40}, {"base": "blake3:00"})


def ask(runtime: Runtime, method: str, path: str, **options: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def test_a_service_stays_a_plain_function() -> None:
    assert service(total) is total
    assert total(1, Order(amount=2, name="x"))["sum"] == 3


def test_an_answer_is_kept_before_it_is_given(runtime: Runtime) -> None:
    reply = ask(runtime, "POST", "/v1/total/predict", json={"amount": 2, "name": "é"})
    assert reply.status_code == 200
    body = reply.json()
    assert body["release"] == "b1"
    assert body["answer"] == {"sum": 42, "list": [0.0, 1.0], "name": "é"}
    kept = runtime._catalog.get_prediction(body["prediction_id"])
    assert json.loads(kept.answer) == body["answer"]
    assert json.loads(kept.request) == {"amount": 2, "name": "é"}
    assert (kept.service, kept.build_id) == ("total", 1) and kept.latency_ms > 0


def test_all_wrong_fields_are_named(runtime: Runtime) -> None:
    reply = ask(runtime, "POST", "/v1/total/predict", json={"amount": -1})
    assert reply.status_code == 422
    assert [field["field"] for field in reply.json()["fields"]] == ["amount", "name"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/v1/total/predict", b"{", 422, "Invalid JSON"),
        ("POST", "/v1/total/predict", b"", 422, "Invalid JSON"),
        ("POST", "/v1/total/predict", b" " * (BODY_LIMIT + 1), 413, "larger than"),
        ("GET", "/v1/total/predict", b"", 405, "Method Not Allowed"),
        ("GET", "/nowhere", b"", 404, "/v1/total/predict"),
        ("POST", "/v1/total/predict", b'{"amount": 1, "name": "boom"}', 500, "see its log"),
        ("POST", "/v1/total/predict", b'{"amount": 1, "name": "nan"}', 500, "see its log"),
        ("POST", "/v1/total/predict", b'{"amount": 1, "name": "object"}', 500, "see its log"),
    ],
)
def test_what_cannot_be_answered(
    runtime: Runtime, method: str, path: str, body: bytes, status: int, says: str
) -> None:
    before = runtime._catalog.count_predictions()
    reply = ask(runtime, method, path, content=body)
    assert reply.status_code == status and says in reply.text
    assert "secret" not in reply.text
    assert runtime._catalog.count_predictions() == before


def test_the_log_says_why_an_answer_is_no_json(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    ask(runtime, "POST", "/v1/total/predict", json={"amount": 1, "name": "object"})
    assert "no JSON: " in caplog.text and "builtins.object" in caplog.text


def test_health_and_description(runtime: Runtime) -> None:
    assert ask(runtime, "GET", "/health").json()["status"] == "ok"
    described = ask(runtime, "GET", "/v1/total").json()
    assert described["uses"] == {"base": "blake3:00"}
    assert set(described["request"]["properties"]) == {"amount", "name"}


def test_predictions_at_once(runtime: Runtime) -> None:
    before = runtime._catalog.count_predictions()

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
            body = {"amount": 1, "name": "x"}
            asked = [client.post("/v1/total/predict", json=body) for _ in range(50)]
            return await asyncio.gather(*asked)

    ids = {reply.json()["prediction_id"] for reply in asyncio.run(send())}
    assert len(ids) == 50
    assert runtime._catalog.count_predictions() - before == 50


def test_a_port_that_is_taken() -> None:
    with _listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=r"cannot listen on .*in use"):
            _listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="cannot listen"):
        _listen("127.0.0.1", 70_000)
