"""The schema of a database as it is found there, to compare two of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, inspect


def described(connection: Connection) -> dict[str, Any]:
    """Columns, keys, indexes and constraints of every table, by its name."""
    found = inspect(connection)
    return {
        table: {
            "columns": [{**column, "type": str(column["type"])} for column in found.get_columns(table)],
            "primary key": found.get_pk_constraint(table),
            "indexes": sorted(map(_described_index, found.get_indexes(table))),
            "checks": found.get_check_constraints(table),
        }
        for table in found.get_table_names()
    }


def _described_index(index: Any) -> str:
    where = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {bool(index['unique'])} {where}"
