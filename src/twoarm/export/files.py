"""Files that grow a block at a time: CSV, Parquet, SAS transport. The home of pyarrow and pyreadstat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from twoarm.errors import ExportLibraryError

_LIBRARIES = {"parquet": "pyarrow", "xpt": "pyreadstat"}
_SAS_LENGTH = 200  # bytes of a text in a transport file of version 5
_SAS_EPOCH = pd.Timestamp("1960-01-01")

Add = Callable[[pd.DataFrame], None]


class Header(NamedTuple):
    """What a file says of its data set: name, label, and its rows of the dictionary."""

    name: str
    label: str
    entries: pd.DataFrame


def check_format(name: str) -> None:
    """Make sure that a format can be written.

    Parameters
    ----------
    name : str
        "csv", "parquet" or "xpt".

    Raises
    ------
    ExportLibraryError
        If the library it needs is not installed.
    """
    library = _LIBRARIES.get(name)
    if library and find_spec(library) is None:
        raise ExportLibraryError(form=name, library=library)


@contextmanager
def csv_file(path: Path, header: Header | None = None, *, missing: str = "") -> Iterator[Add]:
    """Open a CSV file: ISO dates, every digit, one header.

    Parameters
    ----------
    path : Path
        The file.
    header : Header, optional
        Not needed.
    missing : str
        What stands for a missing value.

    Yields
    ------
    callable
        Adds a block.
    """
    with path.open("w", encoding="utf-8", newline="") as file:

        def add(block: pd.DataFrame) -> None:
            shown = block.copy()
            for name in block.select_dtypes("datetime"):
                shown[name] = block[name].dt.strftime("%Y-%m-%d")
            shown.to_csv(file, index=False, header=file.tell() == 0, na_rep=missing, lineterminator="\n")

        yield add


@contextmanager
def parquet_file(path: Path, header: Header) -> Iterator[Add]:
    """Open a Parquet file: a row group a block, labels beside the columns.

    Parameters
    ----------
    path : Path
        The file.
    header : Header
        Of the data set.

    Yields
    ------
    callable
        Adds a block in the dictionary's form.
    """
    import pyarrow
    import pyarrow.parquet

    kinds = {
        "text": pyarrow.string(),
        "integer": pyarrow.int64(),
        "float": pyarrow.float64(),
        "date": pyarrow.date32(),
    }
    fields = [
        pyarrow.field(row["variable"], kinds[row["type"]], metadata={"label": row["label"]})
        for row in header.entries.to_dict("records")
    ]
    about = {"dataset": header.name.upper(), "label": header.label}
    schema = pyarrow.schema(fields, metadata=about)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda block: writer.write_table(
            pyarrow.Table.from_pandas(block, schema=schema, preserve_index=False)
        )


@contextmanager
def xpt_file(path: Path, header: Header) -> Iterator[Add]:
    """Open a SAS transport file of version 5; its blocks are kept until it is closed.

    Parameters
    ----------
    path : Path
        The file.
    header : Header
        Of the data set.

    Yields
    ------
    callable
        Adds a block in the dictionary's form.

    Notes
    -----
    The library cannot add to a file, so this one is put together in memory. Dates become SAS dates (days
    since 1960-01-01) with the format DATE9., whole numbers doubles, texts are cut at 200 bytes: all that
    version 5 knows.
    """
    import pyreadstat

    blocks: list[pd.DataFrame] = []
    yield blocks.append
    table = pd.concat(blocks, ignore_index=True)
    formats = {}
    for row in header.entries.to_dict("records"):
        column = row["variable"]
        if row["type"] == "text":
            table[column] = table[column].str.encode("utf-8").str[:_SAS_LENGTH].str.decode("utf-8", "ignore")
        elif row["type"] == "date":
            table[column] = (table[column] - _SAS_EPOCH).dt.days.astype(float)
            formats[column] = "DATE9."
        else:
            table[column] = table[column].astype(float)
    pyreadstat.write_xport(
        table,
        str(path),
        file_label=header.label[:40],
        column_labels=header.entries["label"].tolist(),
        table_name=header.name.upper(),
        file_format_version=5,
        variable_format=formats,
    )


OPENERS = {"csv": csv_file, "parquet": parquet_file, "xpt": xpt_file}
