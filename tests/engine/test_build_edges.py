"""Builds at their edges: a source that is missing, a service as target, old values again."""

from __future__ import annotations

import time

from tests.engine.project_fixture import Sandbox, sandbox

from whence.engine.project import Project
from whence.engine.results import Event

__all__ = ["sandbox"]


def test_a_missing_source_fails_alone(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                rows = wh.files("data/rows.csv")

                @wh.node
                def count(rows):
                    return len(rows)

                @wh.node
                def twice(count):
                    return 2 * count
            """
        }
    )
    made = sandbox.build()
    assert (made.failed, made.skipped, made.ran) == ({"rows"}, {"count", "twice"}, {"bystander"})
    assert "data/rows.csv' does not exist" in made.errors["rows"]
    reasons = {t.reason for t in made.build.tasks if t.status == "skipped"}
    assert reasons == {"rows failed"}, "what was skipped names the failure itself, however far up"


def test_a_service_as_target_means_what_it_uses(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                @wh.node
                def rate():
                    return 2

                @wh.service
                def price(rate, request):
                    return rate
            """
        }
    )
    made = sandbox.build("price")
    assert (made.status, made.ran) == ("ok", {"rate"})


def test_a_rebuild_does_not_refresh_what_has_become_too_old(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                import time

                @wh.node(deterministic=False, max_age="1s")
                def now():
                    return time.time()
            """
        }
    )
    first = sandbox.build()
    time.sleep(1.1)
    with Project.open(sandbox.root) as project:
        _, changes = project.rebuild(first.build.id)
    assert changes == []


def test_code_of_whence_is_no_dependency(sandbox: Sandbox) -> None:
    """Installed from a checkout it lies outside of site-packages, and is imported late."""
    sandbox.write(
        {
            "pipe.py": """
                from whence.models import proportion_interval

                @wh.node
                def low():
                    return proportion_interval([True, False]).low
            """
        }
    )
    sandbox.build()
    with Project.open(sandbox.root) as project:
        session = project.session()
        seen = [o.name for found in session.imports.values() for o in found]
        catalog = project.stores.catalog
        rows = [catalog.get_text(t.recipe) for t in catalog.tasks_of(1)]
    assert not [name for name in seen if "whence" in name]
    assert not [text for text in rows if "whence/models" in text]


def test_a_value_of_before_is_not_that_of_the_latest_build(sandbox: Sandbox) -> None:
    """An observed variable is no part of a recorded world, so equal worlds may differ in values."""
    sandbox.write(
        {
            "pipe.py": """
                import os

                @wh.node
                def currency():
                    return os.environ.get("CURRENCY", "EUR")
            """
        }
    )
    assert sandbox.build()["currency"] == "EUR"
    sandbox.setenv("CURRENCY", "USD")
    assert sandbox.build()["currency"] == "USD"
    sandbox.setenv("CURRENCY", None)
    made = sandbox.build()
    assert (made["currency"], made.status, made.ran) == ("EUR", "ok", set())
    assert sandbox.build().status == "current"


def test_a_task_that_starts_is_among_those_that_run(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": "@wh.node\ndef one():\n    return 1\n"})
    events: list[Event] = []
    with Project.open(sandbox.root) as project:
        project.build(jobs=2, progress=events.append)
    starts = [event for event in events if event.kind == "start"]
    assert {event.text for event in starts} == {"one", "bystander"}
    assert all(event.text in event.running for event in starts)
    assert events[-1].running == () and events[-1].done == events[-1].total


DRAWS = """
import os
import whence as wh

@wh.node(deterministic=False)
def drawn() -> str:
    return os.urandom(8).hex()

@wh.node
def doubled(drawn: str) -> str:
    return drawn * 2
"""


def test_a_rebuild_takes_the_value_that_its_build_recorded_not_a_newer_one(
    sandbox: Sandbox,
) -> None:
    sandbox.write({"pipe.py": DRAWS})
    with Project.open(sandbox.root) as project:
        first = project.build(jobs=1)
        value = first["doubled"]
        second = project.build(jobs=1, refresh=["drawn"])
        assert second["doubled"] != value

        made, differing = project.rebuild(first.id)

        assert differing == [] and made["doubled"] == value
        assert project.rebuild(second.id)[1] == []


def test_a_recorded_value_is_not_that_of_a_deterministic_twin(sandbox: Sandbox) -> None:
    body = "\ndef {name}() -> str:\n    return 'same'\n"
    text = "import whence as wh\n@wh.node(deterministic=False)" + body.format(name="recorded")
    sandbox.write({"pipe.py": text + "@wh.node" + body.format(name="made")})
    with Project.open(sandbox.root) as project:
        ran = {task.node for task in project.build(jobs=1).tasks if task.status == "ran"}
        assert {"recorded", "made"} <= ran
