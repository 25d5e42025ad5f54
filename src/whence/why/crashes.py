"""Mixes that crash: units that only run together, and what makes the candidate crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from whence.why.board import Board, Units
from whence.why.estimate import FoundCause
from whence.why.verdict import Band


def merge_inseparable(board: Board, live: Sequence[Units], suspects: Iterable[int]) -> list[Units]:
    """Blocks in which no suspect crashes alone: each with the partners that make it run.

    Parameters
    ----------
    live : sequence of frozenset
        Blocks that may matter, in order.
    suspects : iterable of int
        Units that crash when they are flipped alone, on either side.
    """
    blocks = list(live)
    for unit in suspects:
        block = next((b for b in blocks if unit in b), None)
        if block is None or _stands(board, block):
            continue
        others = [b for b in blocks if b != block]
        partners = _smallest(others, partial(_stands_with, board, block))
        merged = block.union(*partners)
        place = min(blocks.index(b) for b in [block, *partners])
        blocks = [b for b in blocks if b != block and b not in partners]
        blocks.insert(place, merged)
    return blocks


def _stands(board: Board, block: Units) -> bool:
    """Whether it can be flipped alone, and everything but it."""
    board.ask([block, board.everything - block])
    return board.feasible(block) and board.feasible(board.everything - block)


def _stands_with(board: Board, block: Units, partners: Sequence[Units]) -> bool:
    return _stands(board, block.union(*partners))


def _smallest(parts: Sequence[Units], holds: Callable[[Sequence[Units]], bool]) -> list[Units]:
    """A subset, minimal by single parts, for which `holds`; all of them must.

    One by one first, since a pair is by far the most common; then ddmin (Zeller & Hildebrandt,
    "Simplifying and isolating failure-inducing input", TSE 2002).
    """
    for part in parts:
        if holds([part]):
            return [part]
    kept = list(parts)
    chunks = 2
    while len(kept) > 1:
        size = max(1, len(kept) // chunks)
        pieces = [kept[i : i + size] for i in range(0, len(kept), size)]
        for piece in pieces:
            rest = [part for part in kept if part not in piece]
            if rest and holds(rest):
                kept, chunks = rest, max(chunks - 1, 2)
                break
        else:
            if size == 1:
                break
            chunks = min(len(kept), chunks * 2)
    return kept


def find_failure(board: Board, repaired: bool) -> tuple[FoundCause, ...]:
    """The smallest sets of units that make the candidate crash (or, repaired, run), one by one."""
    units = [frozenset([unit]) for unit in sorted(board.everything)]
    goal = repaired

    def reaches(kept: Sequence[Units]) -> bool:
        return board.feasible(frozenset[int]().union(*kept)) is goal

    board.ask(units)
    alone = [unit for unit in units if reaches([unit])]
    found = alone or [frozenset[int]().union(*_smallest(units, reaches))]
    nothing = Band(0.0, 0.0, 0.0)
    return tuple(
        FoundCause(
            "cause" if len(each) == 1 else "interaction",
            each,
            nothing,
            0.0,
            ((each, {board.seeds[0]: board.outcome(each).value}, board.outcome(each).error),),
        )
        for each in found
    )
