"""Reads a parquet file row by row, in bounded memory whatever the file claims or repeats.

A file of a few hundred bytes can unpack to gigabytes: a value that many rows refer to is stored once, and repetitions
are packed. So what the file says of itself is looked at first, values that are stored once are kept once, and the size
of a row is added up before it is unpacked.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.errors import BadInput, TooLarge

MB: Final = 1024 * 1024
MAX_GROUP_BYTES: Final = 64 * MB  # of a row group, unpacked, where it is packed more than PACKED-fold
PACKED: Final = 20  # pictures are packed already
MAX_REPEATED: Final = 512 * MB  # of all rows together, where that is more than PACKED times the file
MAX_GROUP_VALUES: Final = 2_000_000  # of one column in a row group
MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 1000
MAX_FOOTER: Final = 16 * MB
BATCH_BYTES: Final = 32 * MB  # of the rows that are read at once, by what the file says
MOST_AT_ONCE: Final = 16


def read_rows(file: Path, max_row_bytes: int) -> Iterator[Mapping[str, Any]]:
    """The rows as pyarrow gives them. Raises BadInput for another file, TooLarge for one that takes too much memory."""
    number = unpacked = 0
    most = max(MAX_REPEATED, PACKED * file.stat().st_size)
    try:
        with pq.ParquetFile(
            file, thrift_string_size_limit=MAX_FOOTER, thrift_container_size_limit=MAX_ROWS
        ) as described:
            metadata = described.metadata
            _check(file, metadata)
        with pq.ParquetFile(file, pre_buffer=False, read_dictionary=_columns(metadata)) as table:
            for group in range(metadata.num_row_groups):
                at_once = max(1, min(MOST_AT_ONCE, BATCH_BYTES // max(1, _unpacked(metadata.row_group(group)))))
                for batch in table.iter_batches(batch_size=at_once, row_groups=[group], use_threads=False):
                    for place in range(batch.num_rows):
                        number += 1
                        row = batch.slice(place, 1)
                        row_bytes = sum(_value_bytes(column) for column in row.columns)
                        if row_bytes > max_row_bytes:
                            raise TooLarge(f"{file}, row {number} has more than {max_row_bytes // MB} MB.")
                        unpacked += row_bytes
                        if unpacked > most:
                            raise TooLarge(f"{file} unpacks to more than {PACKED} times its size by row {number}.")
                        yield row.to_pylist()[0]
    except MemoryError as exc:
        raise TooLarge(f"{file} takes too much memory after row {number}.") from exc
    except (pa.ArrowException, ValueError, OSError) as exc:  # ValueError: a text that is not UTF-8
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # the file cannot be opened; pyarrow raises OSError for what stands in it, too
        raise BadInput(f"{file} cannot be read after row {number}: it is not a parquet file.") from exc


def _check(file: Path, metadata: Any) -> None:
    if metadata.num_rows > MAX_ROWS or metadata.num_columns > MAX_COLUMNS:
        raise TooLarge(f"{file} has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns.")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        unpacked, packed = _unpacked(group), sum(column.total_compressed_size for column in columns)
        if unpacked > MAX_GROUP_BYTES and unpacked > PACKED * packed:
            raise TooLarge(f"{file} unpacks to {unpacked / 1e6:.0f} MB at once; write it with smaller row groups.")
        if any(column.num_values > MAX_GROUP_VALUES for column in columns):
            raise TooLarge(f"{file} has a list of more than {MAX_GROUP_VALUES} values.")


def _unpacked(group: Any) -> int:
    return sum(group.column(place).total_uncompressed_size for place in range(group.num_columns))


def _columns(metadata: Any) -> list[str]:
    """The paths of all columns, so that each value that is stored once is kept once."""
    if metadata.num_row_groups == 0:
        return []
    group = metadata.row_group(0)
    return [group.column(place).path_in_schema for place in range(group.num_columns)]


def _value_bytes(values: Any) -> int:
    """How many bytes the values take when each is written out: those that are referred to, as often as they are."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(values.dictionary) if _is_text(kind.value_type) else None
        referred = values.indices.drop_null()
        return 8 * len(referred) if lengths is None else int(pc.sum(lengths.take(referred)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(_value_bytes(part) for part in values.flatten())
    if pa.types.is_map(kind):
        first, last = values.offsets[0].as_py(), values.offsets[-1].as_py()
        keys, items = (part.slice(first, last - first) for part in (values.keys, values.items))
        return _value_bytes(keys) + _value_bytes(items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return 8 * len(values) + _value_bytes(values.flatten())
    if _is_text(kind):
        return int(pc.sum(pc.binary_length(values)).as_py() or 0)
    return int(values.nbytes)


def _is_text(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
    )
