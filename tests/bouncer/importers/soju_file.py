"""A soju database to import from, with one user who has two networks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

# The tables that are read, as soju's documentation of its database has them.
SCHEMA = """
CREATE TABLE User (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, password TEXT,
    admin INTEGER NOT NULL DEFAULT 0, realname TEXT, nick TEXT, created_at TEXT NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 1, downstream_interacted_at TEXT);
CREATE TABLE Network (id INTEGER PRIMARY KEY, name TEXT, user INTEGER NOT NULL, addr TEXT NOT NULL,
    nick TEXT, username TEXT, realname TEXT, certfp TEXT, pass TEXT, connect_commands TEXT,
    sasl_mechanism TEXT, sasl_plain_username TEXT, sasl_plain_password TEXT,
    sasl_external_cert BLOB, sasl_external_key BLOB, auto_away INTEGER NOT NULL DEFAULT 1,
    enabled INTEGER NOT NULL DEFAULT 1);
CREATE TABLE Channel (id INTEGER PRIMARY KEY, network INTEGER NOT NULL, name TEXT NOT NULL,
    key TEXT, detached INTEGER NOT NULL DEFAULT 0, detached_internal_msgid TEXT,
    relay_detached INTEGER NOT NULL DEFAULT 0, reattach_on INTEGER NOT NULL DEFAULT 0,
    detach_after INTEGER NOT NULL DEFAULT 0, detach_on INTEGER NOT NULL DEFAULT 0);
CREATE TABLE DeliveryReceipt (id INTEGER PRIMARY KEY, network INTEGER NOT NULL,
    target TEXT NOT NULL, client TEXT, internal_msgid TEXT NOT NULL,
    UNIQUE(network, target, client));
CREATE TABLE ReadReceipt (id INTEGER PRIMARY KEY, network INTEGER NOT NULL, target TEXT NOT NULL,
    timestamp TEXT NOT NULL);
CREATE TABLE Message (id INTEGER PRIMARY KEY, target INTEGER NOT NULL, raw TEXT NOT NULL,
    time TEXT NOT NULL, sender TEXT NOT NULL, text TEXT);
CREATE TABLE MessageTarget (id INTEGER PRIMARY KEY, network INTEGER NOT NULL, target TEXT NOT NULL);
"""


def soju_database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)
    database.execute(
        "INSERT INTO User VALUES (1, 'alice', '$2a$10$hash', 1, 'Alice', 'al', '2024-01-01', 1, '')"
    )
    database.execute(
        "INSERT INTO Network (id, name, user, addr, nick, connect_commands, sasl_mechanism, "
        "sasl_plain_username, sasl_plain_password, auto_away) VALUES "
        "(7, 'libera', 1, 'irc.libera.chat', 'alice', 'MODE alice +B' || char(10), 'PLAIN', 'a', "
        "'pw', 0), (8, NULL, 1, 'irc+insecure://irc.example.net:6667', NULL, NULL, NULL, NULL, "
        "NULL, 1)"
    )
    database.execute(
        "INSERT INTO Channel (network, name, key, detached, relay_detached, detach_after) "
        "VALUES (7, '#Ops', 'k', 1, 2, 600)"
    )
    database.execute("INSERT INTO ReadReceipt VALUES (1, 7, '#Ops', '2024-01-01T00:00:05.000Z')")
    database.execute("INSERT INTO MessageTarget VALUES (1, 7, '#Ops'), (2, 7, 'bob')")
    return database


def say(database: sqlite3.Connection, target: int, time: str, line: str) -> None:
    database.execute(
        "INSERT INTO Message (target, raw, time, sender, text) VALUES (?, ?, ?, '', '')",
        (target, line, time),
    )
