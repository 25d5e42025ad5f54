"""What comes in."""

import whence as wh

pages = wh.files("data/*.txt", partition_by="file")
stop_words = wh.param([], doc="words that count for nothing")
