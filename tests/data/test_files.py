"""Files become values, tables and partitions; what cannot be read says which file, row and why."""

import gzip
import re
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whence.data import files
from whence.data.reader import FilesReader
from whence.engine.source import Context, Probe
from whence.errors import ConfigError, SourceError


def reader(*args: Any, **options: Any) -> FilesReader:
    return FilesReader(files(*args, **options).options)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, lambda path: path.read_bytes().hex())


def write(context: Context, path: str, data: str | bytes) -> Path:
    target = context.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.encode() if isinstance(data, str) else data)
    return target


def read_all(context: Context, *args: Any, **options: Any) -> dict[str, Any]:
    files_reader = reader(*args, **options)
    return {key: files_reader.read(key, context) for key in files_reader.probe(context).units}


def rows(value: Any) -> Any:
    return value.to_pylist()


PLAIN = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zip", "zip", "tsv", "jsonl", "parquet"])
def test_every_table_format_reads_alike(context: Context, suffix: str) -> None:
    path = context.root / f"t.{suffix}"
    text = "a,b\n1,x\n2,\n"
    match suffix:
        case "csv":
            path.write_text(text)
        case "tsv":
            path.write_text(text.replace(",", "\t"))
        case "csv.gz":
            path.write_bytes(gzip.compress(text.encode()))
        case "jsonl":
            path.write_text('{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n')
        case "parquet":
            pq.write_table(pa.Table.from_pylist(PLAIN), path)
        case _:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("t.csv", text)
    assert rows(read_all(context, f"t.{suffix}")[""]) == PLAIN


@pytest.mark.parametrize("stream", [True, False])
def test_arrow_files_and_streams(context: Context, stream: bool) -> None:
    table = pa.Table.from_pylist(PLAIN)
    with (context.root / "t.arrow").open("wb") as sink:
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(sink, table.schema) as writer:
            writer.write_table(table)
    assert rows(read_all(context, "t.arrow")[""]) == PLAIN


def test_other_formats(context: Context) -> None:
    write(context, "one.json", '{"k": [1, 2.5]}')
    write(context, "docs/b.md", "# B")
    write(context, "docs/a.md", "# A")
    assert read_all(context, "one.json") == {"": {"k": [1, 2.5]}}
    assert read_all(context, "one.json", format="bytes") == {"": b'{"k": [1, 2.5]}'}
    assert read_all(context, "one.json", format="path") == {"": context.root / "one.json"}
    assert read_all(context, "docs/*.md") == {"": {"a.md": "# A", "b.md": "# B"}}
    assert read_all(context, "docs/*.md", partition_by="file") == {"a": "# A", "b": "# B"}


def test_files_join_in_natural_order(context: Context) -> None:
    for month in (10, 9, 1):
        write(context, f"part{month}.csv", f"m\n{month}\n")
    assert read_all(context, "part*.csv")[""]["m"].to_pylist() == [1, 9, 10]
    assert list(read_all(context, "part*.csv", partition_by="file")) == ["part1", "part9", "part10"]


def test_types_hold_for_the_whole_file(context: Context) -> None:
    lines = ["n,t,late"] + ["1,1,"] * 200_000 + ["1.5,x,7"]
    write(context, "t.csv", "\n".join(lines))
    schema = read_all(context, "t.csv")[""].schema
    assert [str(field.type) for field in schema] == ["double", "string", "int64"]


def test_csv_options(context: Context) -> None:
    write(context, "t.csv", "zip;n;c\n00501;-;NA\n;2;\n".encode("utf-16"))
    (table,) = read_all(
        context,
        "t.csv",
        delimiter=";",
        encoding="utf-16",
        types={"zip": "string"},
        null_values=["-", ""],
        columns=["n", "zip", "c"],
    ).values()
    assert table.to_pydict() == {"n": [None, 2], "zip": ["00501", None], "c": ["NA", None]}


def test_texts_keep_na_and_numbers_do_not(context: Context) -> None:
    write(context, "t.csv", 'country,n\nNA,NA\n"",1\n"a\nb",2\n')
    expected = {"country": ["NA", None, "a\nb"], "n": [None, 1, 2]}
    assert read_all(context, "t.csv")[""].to_pydict() == expected


def test_partitions_by_column(context: Context) -> None:
    write(context, "t.csv", "m,r,v\n10,eu,1\n2,us,2\n10,us,3\n10,eu,4\n")
    by_month = read_all(context, "t.csv", partition_by="m")
    (parts,) = by_month.values()
    assert {key: rows(value["v"]) for key, value in parts.items()} == {"2": [2], "10": [1, 3, 4]}
    (parts,) = read_all(context, "t.csv", partition_by=["r", "m"]).values()
    assert list(parts) == ["r=eu/m=10", "r=us/m=2", "r=us/m=10"]
    assert reader("t.csv", partition_by="m").probe(context).splits


def test_partitions_by_date_hold_no_slash(context: Context) -> None:
    write(context, "t.csv", "d,s\n2013-01-05,a/b\n")
    (parts,) = read_all(context, "t.csv", partition_by=["d", "s"]).values()
    assert list(parts) == ["d=2013-01-05/s=a%2Fb"]


def test_folders_of_named_values_are_partitions_and_columns(context: Context) -> None:
    for month in (2, 10):
        write(context, f"d/year=2013/month={month}/p.csv", "v\n1\n")
    parts = read_all(context, "d/**/*.csv", partition_by="folder")
    assert list(parts) == ["year=2013/month=2", "year=2013/month=10"]
    assert rows(parts["year=2013/month=2"]) == [{"v": 1, "year": 2013, "month": 2}]


def test_plain_folders_and_equal_file_names(context: Context) -> None:
    write(context, "d/north/a.txt", "n")
    write(context, "d/south/a.txt", "s")
    assert list(read_all(context, "d/*/a.txt", partition_by="folder")) == ["north", "south"]
    assert read_all(context, "d/*/a.txt", partition_by="file") == {"north/a": "n", "south/a": "s"}


def test_probe_sees_content_and_names_and_watches_folders(context: Context) -> None:
    def probe() -> Probe:
        return reader("d/*.csv").probe(context)

    path = write(context, "d/a.csv", "v\n1\n")
    first = probe()
    assert first.watch == ("d", "d/a.csv")
    path.write_text("v\n2\n")
    second = probe()
    write(context, "d/b.csv", "v\n1\n")
    assert len({first.units[""].digest, second.units[""].digest, probe().units[""].digest}) == 3
    assert probe().units[""].files == ("d/a.csv", "d/b.csv")
    (context.root / "d/sub").mkdir()
    assert reader("**/*.csv").probe(context).watch[:3] == (".", "./d", "./d/sub")


def test_a_column_without_values_takes_the_type_of_other_files(context: Context) -> None:
    write(context, "a.csv", "v,w\n,1\n")
    write(context, "b.csv", "v,w\n1.5,2\n")
    assert read_all(context, "*.csv")[""].to_pydict() == {"v": [None, 1.5], "w": [1, 2]}


FAULTS: list[tuple[dict[str, str | bytes], str, dict[str, Any], str]] = [
    ({"d/flights.csv": "a\n1\n"}, "d/fligths.csv", {}, "no 'fligths.csv'.*mean 'flights.csv'"),
    ({"d/a.csv": "a\n1\n"}, "e/a.csv", {}, "'e/a.csv' does not exist: the project's root has no"),
    ({"d/a.csv": "a\n1\n"}, "d/*.parquet", {}, "empty: no file matches.*'d' holds a.csv"),
    ({"d/a.csv": "a\n1\n"}, "d", {}, "is a folder.*'d/\\*'"),
    ({"a.csv": ""}, "a.csv", {}, r"'a.csv' is empty \(0 bytes\)"),
    ({"a.csv": "a,b\n"}, "a.csv", {}, "empty: its columns have no rows"),
    ({"a.parquet": b"PAR1 cut off"}, "a.parquet", {}, "cannot be read as Parquet.*12 bytes"),
    (
        {"a.csv": "a,b\n1,2\n3,4,5\n6\n"},
        "a.csv",
        {},
        "broken row 3: 3 values where the header has 2 columns: '3,4,5' \\(2 rows",
    ),
    ({"a.csv": 'a,b\n1,"x\n2,y\n3,z\n'}, "a.csv", {}, "quote in column 'b'.*'x'.*row 2 on"),
    ({"a.csv": b"a,b\n1,caf\xe9\n"}, "a.csv", {}, "not UTF-8 in column 'b'.*caf.*latin-1"),
    ({"a.csv": "a\n1\n".encode("utf-16")}, "a.csv", {}, "not UTF-8|cannot be read"),
    ({"a.csv": "a,a\n1,2\n"}, "a.csv", {}, "two columns called 'a'"),
    (
        {"a.csv": "a,b\n1,2\n1,x\n"},
        "a.csv",
        {"types": {"b": "int64"}},
        "row 3, column 'b' is not of type int64: .*'x'|row 3, column number 2",
    ),
    ({"a.csv": "month,b\n1,2\n"}, "a.csv", {"columns": ["mnth"]}, "no column 'mnth'.*'month'"),
    ({"a.csv": "month,b\n1,2\n"}, "a.csv", {"types": {"mnth": "string"}}, "mean 'month'"),
    ({"a.csv": "month,b\n1,2\n"}, "a.csv", {"partition_by": "mnth"}, "no column 'mnth'"),
    ({"a.csv": "m,b\n,2\n1,1\n"}, "a.csv", {"partition_by": "m"}, "1 of 2 rows have no value"),
    ({"a.csv": "a\n1\n", "b.csv": "b\n1\n"}, "*.csv", {}, "'b.csv' lacks 'a' and adds 'b'"),
    (
        {"a.csv": "a\n1\n", "b.csv": "a\nx\n"},
        "*.csv",
        {},
        "'a' as int64 in 'a.csv' and as string in 'b.csv'",
    ),
    ({"a.jsonl": '{"a": 1}\n{"a": \n'}, "a.jsonl", {}, "broken row 2"),
    ({"a.jsonl": '{"a": 1}\n{"a": "x"}\n'}, "a.jsonl", {}, "changed from number to string"),
    ({"a.json": '{"a": 1,}'}, "a.json", {}, "not JSON: .*line 1, column [89]"),
    ({"a.txt": b"ab\xff"}, "a.txt", {}, "byte 2 is 0xff"),
    ({"a.xyz": "1"}, "a.xyz", {}, "says no format"),
    ({"a.csv": "1", "a.json": "1"}, "a.*", {}, "mixes formats"),
    ({"a.csv": "1", "a.json": "1"}, "a.*", {"partition_by": "file"}, "both make partition 'a'"),
    ({"a.csv.zip": b"PK no"}, "a.csv.zip", {}, "as a zip archive"),
    ({"a.csv.gz": b"no gzip"}, "a.csv.gz", {}, "cannot be read"),
]


@pytest.mark.parametrize(
    ("given", "pattern", "options", "message"), FAULTS, ids=[fault[3][:40] for fault in FAULTS]
)
def test_faults_say_where_and_what(
    context: Context,
    given: dict[str, str | bytes],
    pattern: str,
    options: dict[str, Any],
    message: str,
) -> None:
    for path, data in given.items():
        write(context, path, data)
    with pytest.raises(SourceError) as caught:
        read_all(context, pattern, **options)
    assert re.search(message, str(caught.value).replace("\n", " ")), str(caught.value)


def test_a_header_alone_may_be_allowed(context: Context) -> None:
    write(context, "a.csv", "a,b\n")
    assert read_all(context, "a.csv", allow_empty=True)[""].num_rows == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "cvs"}, "mean 'csv'"),
        ({"format": "json", "partition_by": "month"}, "has no columns|has no"),
    ],
)
def test_wrong_declarations(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        files("a.csv", **options)
