"""The catalog's tables, version 1.

`inline` and `data` come last in their tables, so that a scan of the other columns need not read
them.
"""

from __future__ import annotations

import os

from whence.store.catalog.database import Database, Dialect

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE meta (
  key {key} PRIMARY KEY, value TEXT NOT NULL
) {packed};
CREATE TABLE texts (
  digest {key} PRIMARY KEY, created {real} NOT NULL, data {blob} NOT NULL
);
CREATE TABLE artifacts (
  digest {key} PRIMARY KEY, blob {key}, children TEXT NOT NULL, created {real} NOT NULL,
  descriptor TEXT NOT NULL, inline {blob}
) {packed};
CREATE INDEX artifacts_by_blob ON artifacts (blob) WHERE blob IS NOT NULL;
CREATE TABLE memo (
  static_key {key} NOT NULL, observed_key {key} NOT NULL, output {key} NOT NULL,
  run_id {integer}, created {real} NOT NULL, observed TEXT NOT NULL,
  PRIMARY KEY (static_key, observed_key)
) {packed};
CREATE TABLE builds (
  build_id {serial}, started {real} NOT NULL, finished {real}, status TEXT NOT NULL,
  world {key} NOT NULL, owner {key} NOT NULL, details TEXT NOT NULL, counts TEXT NOT NULL
);
CREATE TABLE build_tasks (
  build_id {integer} NOT NULL, node {key} NOT NULL, partition {key} NOT NULL,
  static_key {key} NOT NULL, recipe {key} NOT NULL, observed_key {key} NOT NULL, output {key},
  status TEXT NOT NULL, reason TEXT NOT NULL, run_id {integer},
  PRIMARY KEY (build_id, node, partition)
) {packed};
CREATE TABLE runs (
  run_id {counter}, build_id {integer} NOT NULL, node {key} NOT NULL, partition {key} NOT NULL,
  started {real} NOT NULL, duration_s {real} NOT NULL, cpu_s {real} NOT NULL,
  peak_bytes {integer} NOT NULL, host TEXT NOT NULL, pid {integer} NOT NULL,
  warnings TEXT NOT NULL, error TEXT NOT NULL, log TEXT NOT NULL
);
CREATE TABLE owners (
  token {key} PRIMARY KEY, host TEXT NOT NULL, pid {integer} NOT NULL,
  process_start TEXT NOT NULL, heartbeat {real} NOT NULL
) {packed};
CREATE TABLE leases (
  key {key} PRIMARY KEY, token {key} NOT NULL
) {packed};
CREATE TABLE acceptances (
  acceptance_id {serial}, build_id {integer} NOT NULL, time {real} NOT NULL, note TEXT NOT NULL
);
CREATE TABLE predictions (
  id {key} PRIMARY KEY, service {key} NOT NULL, build_id {integer} NOT NULL,
  time {real} NOT NULL, latency_ms {real} NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL
);
CREATE INDEX predictions_by_time ON predictions (time);
CREATE INDEX predictions_by_build ON predictions (build_id);
"""

#: Every table of the catalog, in the order in which they are made.
TABLES = tuple(line.split()[2] for line in _TABLES.splitlines() if line.startswith("CREATE TABLE"))


def statements(dialect: Dialect) -> list[str]:
    """What makes the tables in an empty database."""
    text = _TABLES.format(
        key=dialect.key,
        serial=dialect.serial,
        counter=dialect.counter,
        integer=dialect.integer,
        real=dialect.real,
        blob=dialect.blob,
        packed=dialect.packed,
    )
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def create(db: Database) -> None:
    """Make the tables; call it in a transaction."""
    for statement in statements(db.dialect):
        db.write(statement)
    db.write_many(
        "INSERT INTO meta (key, value) VALUES (?, ?)",
        [
            ("schema_version", str(SCHEMA_VERSION)),
            ("store_id", os.urandom(16).hex()),
            ("generation", "1"),
        ],
    )
