"""Six nodes of plain Python: words in three short texts."""
