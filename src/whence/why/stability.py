"""Nodes that give another value when they run again on equal inputs.

Every claim of `why` rests on a build being a function of its world. What breaks that unseen, such
as a generator that no seed reaches, is looked for by running a sample of nodes again.
"""

from __future__ import annotations

from whence.engine.checking import rerun_all
from whence.engine.tasks import Key, Task
from whence.errors import GraphError
from whence.why.laboratory import Laboratory

#: The part of a rebuild that looking may cost; the cheapest nodes are looked at first.
SAMPLE = 0.25


def unstable_nodes(laboratory: Laboratory) -> tuple[list[str], list[str]]:
    """Nodes of the candidate that were seen to be unstable; and those that were not looked at."""
    chosen, left = _sample(laboratory)
    state = laboratory.stores.state
    name = f"stable:{laboratory.stores.catalog.store_id}:{laboratory.mixer.b.row.id}"
    known = state.get(name) or {}
    names = sorted({key[0] for key in chosen})
    if all(node in known for node in names):
        return [node for node in names if not known[node]], left
    everything = frozenset(range(laboratory.size))
    mixer = laboratory.mixer
    draft = mixer.draft(mixer.flipped_ids(everything), laboratory.seedings[0])
    session, pool = laboratory.open(draft)

    def is_chosen(task: Task) -> bool:
        return task.key in chosen

    try:
        found = rerun_all(session, pool, [mixer.metric], keep=is_chosen)
    except GraphError:  # the candidate crashed, or its values are no longer in the store
        return [], sorted({key[0] for key in chosen} | set(left))
    finally:
        laboratory.put_back(pool)
    laboratory.spent.cpu_s += sum(chosen.values())
    unstable = sorted({run.node for run in found if not run.same and not run.error})
    state.put({name: {**known, **{node: node not in unstable for node in names}}})
    return unstable, left


def _sample(laboratory: Laboratory) -> tuple[dict[Key, float], list[str]]:
    """Tasks to run again with what they cost, and nodes that are too dear."""
    b = laboratory.mixer.b
    runs = b.session.stores.catalog.runs([t.run_id for t in b.tasks if t.run_id is not None])
    costs: dict[Key, float] = {}
    for task in b.tasks:
        spec = b.session.graph.nodes[task.node].spec
        if spec.kind != "source" and spec.deterministic and task.run_id in runs and task.output:
            costs[task.node, task.partition] = runs[task.run_id].run.cpu_s
    room = SAMPLE * laboratory.rebuild_cpu_s
    chosen: dict[Key, float] = {}
    for key, cpu_s in sorted(costs.items(), key=lambda item: item[1]):
        if cpu_s <= room:
            chosen[key] = cpu_s
            room -= cpu_s
    return chosen, sorted({key[0] for key in costs} - {key[0] for key in chosen})
