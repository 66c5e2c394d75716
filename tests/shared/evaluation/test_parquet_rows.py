"""A parquet file of some hundred bytes can unpack to gigabytes: it is refused before it does."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import BadInput, TooLarge
from shared.evaluation import parquet_rows
from shared.evaluation.parquet_rows import read_rows

MB = 1024 * 1024


def written(folder: Path, table: pa.Table, **options: Any) -> Path:
    path = folder / "people.parquet"
    pq.write_table(table, path, compression="zstd", store_schema=False, **options)
    return path


def test_rows_of_every_type_are_read(tmp_path: Path) -> None:
    rows = [
        {
            "name": "Mara",
            "photos": [b"\x89PNG", b"\xff\xd8"],
            "facts": {"city": "Ulm", "age": 7},
            "at": datetime.date(2026, 1, 2),
        },
        {"name": None, "photos": [], "facts": {"city": None, "age": None}, "at": None},
    ]
    path = written(tmp_path, pa.Table.from_pylist(rows))
    assert [dict(row) for row in read_rows(path, MB)] == rows
    maps = pa.table({"facts": pa.array([[("city", "Ulm")], []], pa.map_(pa.string(), pa.string()))})
    assert [row["facts"] for row in read_rows(written(tmp_path, maps), MB)] == [[("city", "Ulm")], []]


def referred(value: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(times, dtype=np.int32)), pa.array([value]))


def test_value_that_is_stored_once_is_counted_as_often_as_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = pa.ListArray.from_arrays(pa.array([0, 900], type=pa.int32()), referred("x" * 100_000, 900))
    path = written(tmp_path, pa.table({"photos": lists}))
    assert path.stat().st_size < 2_000  # 90 MB, if it were unpacked
    with pytest.raises(TooLarge, match=r"row 1 has more than 16 MB"):
        list(read_rows(path, 16 * MB))
    path = written(tmp_path, pa.table({"name": referred("x" * 100_000, 900)}))
    assert sum(1 for _ in read_rows(path, MB)) == 900
    monkeypatch.setattr(parquet_rows, "MAX_REPEATED", 10 * MB)
    with pytest.raises(TooLarge, match="times its size by row 105"):
        list(read_rows(path, MB))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table({"name": pa.nulls(300_000, pa.string())}), "rows"),
        (pa.table({f"c{n}": [1] for n in range(1500)}), "columns"),
        (pa.table({"n": pa.ListArray.from_arrays([0, 3_000_000], pa.nulls(3_000_000, pa.int8()))}), "values"),
        (pa.table({"name": [chr(65 + n) * 9_000_000 for n in range(10)]}), "unpacks to"),
    ],
)
def test_file_that_says_it_is_too_large_is_refused_unread(tmp_path: Path, table: pa.Table, says: str) -> None:
    with pytest.raises(TooLarge, match=says):
        next(iter(read_rows(written(tmp_path, table), 16 * MB)))


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"PAR1" + b"\xff" * 1000 + b"\xff\xff\xff\x7fPAR1"]
)
def test_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "people.parquet"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not a parquet file"):
        list(read_rows(path, MB))
