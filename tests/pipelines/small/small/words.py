"""From texts to words to numbers."""

import whence as wh


def split(text):
    """Words of a text, in lower case."""
    return [word.strip(".,;").lower() for word in text.split()]


@wh.node(partitioned=True)
def words(pages: str, stop_words):
    """The words of each page that count."""
    print(f"{len(pages)} characters")
    return [word for word in split(pages) if word not in stop_words]


@wh.node
def counts(words):
    """How often each word comes."""
    found = {}
    for page in words.values():
        for word in page:
            found[word] = found.get(word, 0) + 1
    return found


@wh.node
def common(counts, at_least=2):
    """Words that come often."""
    return {word: n for word, n in sorted(counts.items()) if n >= at_least}


@wh.metric(better="higher")
def variety(counts):
    """Different words by words in all."""
    n = sum(counts.values())
    return wh.Estimate(len(counts) / n, n=n)


@wh.node
def report(common, variety):
    """What to tell."""
    lines = [f"{word} {'#' * n}" for word, n in common.items()]
    return "\n".join([f"variety {variety.value:.2f}", *lines])
