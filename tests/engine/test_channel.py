"""Messages to workers: whole, in order, of any size; jobs and outcomes arrive as they were sent."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from whence.engine.channel import Channel
from whence.engine.jobs import (
    Argument,
    Job,
    Outcome,
    pack_job,
    pack_outcome,
    unpack_job,
    unpack_outcome,
)
from whence.graph.digest import Digest
from whence.graph.nodes import NodeSpec, Parameter
from whence.graph.observation import Observation
from whence.store.artifact import Artifact


def pair() -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    return Channel(ours.detach()), Channel(theirs.detach())


def artifact(name: str) -> Artifact:
    return Artifact(
        Digest(f"blake3:{name}"), "json", 1, 2, b"{}", None, "json", {"type": "dict"}, ("m:f",)
    )


def test_messages_arrive_whole_and_in_order() -> None:
    one, two = pair()
    messages: list[Any] = [None, ("run", 1), b"x" * 70_000, "", b"y" * 5_000_000, {"end": True}]
    sender = threading.Thread(target=lambda: [one.send(message) for message in messages])
    sender.start()
    assert [two.receive() for _ in messages] == messages
    sender.join()
    one.close()
    with pytest.raises(EOFError):
        two.receive()
    two.close()


def test_an_end_that_closed_is_noticed() -> None:
    one, two = pair()
    two.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        one.send("anybody there?")
    one.close()


def test_a_job_arrives_as_it_was_and_its_specification_once() -> None:
    spec = NodeSpec("a", "node", "pipe", "a", parameters=(Parameter("x", "str"),))
    argument = Argument("x", "str", (("p1", artifact("1")), ("p2", artifact("2"))), True)
    child = artifact("child")
    job = Job(
        spec, "p", (argument,), {"k": [1, 2.5]}, {child.digest: child}, 7, frozenset({"pipe"}), "u"
    )
    specs: dict[str, NodeSpec] = {}
    assert unpack_job(pack_job(job, spec), specs) == job
    assert unpack_job(pack_job(job, None), specs) == job
    assert specs == {"a": spec}


def test_an_outcome_arrives_as_it_was() -> None:
    outcome = Outcome(
        artifact("made"),
        [artifact("child")],
        [("k", artifact("part"))],
        (Observation("env", "HOME", "d"),),
        ("socket",),
        unstable=True,
        started=1.5,
        peak_bytes=9,
        log="said",
        error="no",
        error_kind="ValueError",
        fix="mend it",
    )
    assert unpack_outcome(pack_outcome(outcome)) == outcome
    assert unpack_outcome(pack_outcome(Outcome())) == Outcome()
