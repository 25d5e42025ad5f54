"""A type of the project's own, and how to store it."""

import whence as wh


class Vocabulary:
    """Words and their numbers."""

    def __init__(self, words: list[str]) -> None:
        self.words = sorted(set(words))

    def to_bytes(self) -> bytes:
        return "\n".join(self.words).encode()


def read(data: bytes) -> Vocabulary:
    return Vocabulary(data.decode().split("\n"))


wh.register_format(
    Vocabulary,
    name="vocabulary",
    to_bytes=Vocabulary.to_bytes,
    from_bytes=read,
    summarise=lambda value: {"words": len(value.words)},
)
