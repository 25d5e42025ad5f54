"""Canonical Arrow types, and the digest of one column that does not see batches or offsets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from whence.errors import ValueFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def canonical_type(kind: pa.DataType, where: str, node: str) -> pa.DataType:
    """The one type that stands for all spellings of the same values.

    string = large_string = string_view = plain dictionary of strings; the same for binary and
    lists; run-end encoding is undone. int32 and int64 stay different.
    """
    import pyarrow as pa

    t = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return kind
    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return canonical_type(kind.value_type, where, node)
    if t.is_large_string(kind) or t.is_string_view(kind):
        return pa.string()
    if t.is_large_binary(kind) or t.is_binary_view(kind):
        return pa.binary()
    if t.is_map(kind):
        key = canonical_type(kind.key_type, where, node)
        return pa.map_(key, canonical_type(kind.item_type, where, node))
    if t.is_fixed_size_list(kind):
        return pa.list_(canonical_type(kind.value_type, where, node), kind.list_size)
    if t.is_nested(kind) and hasattr(kind, "value_type"):
        return pa.list_(canonical_type(kind.value_type, where, node))
    if t.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        if len(set(names)) < len(names):
            raise ValueFault(
                f"The struct in {where} of node '{node}' has duplicate field names: {names}.",
                "give each field a name of its own.",
            )
        inner = [(name, canonical_type(kind.field(name).type, where, node)) for name in names]
        return pa.struct(inner)
    if t.is_union(kind):
        raise ValueFault(
            f"{where.capitalize()} of node '{node}' has the Arrow type {kind}, which tables in the "
            "store cannot hold.",
            "split it into one column per type.",
        )
    return kind


def type_text(kind: pa.DataType) -> Any:
    """A canonical type as JSON: no two types spell the same."""
    import pyarrow as pa

    t = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        spell = getattr(kind, "__arrow_ext_serialize__", None)
        about = str(kind) if spell is None else spell().hex()
        return ["extension", kind.extension_name, about, type_text(kind.storage_type)]
    if t.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return ["struct", [[f.name, type_text(f.type)] for f in fields]]
    if t.is_map(kind):
        return ["map", type_text(kind.key_type), type_text(kind.item_type)]
    if t.is_fixed_size_list(kind):
        return ["fixed_size_list", kind.list_size, type_text(kind.value_type)]
    if t.is_list(kind):
        return ["list", type_text(kind.value_type)]
    return str(kind)


def canonical_batch(batch: pa.RecordBatch, stored: pa.Schema) -> Iterator[pa.RecordBatch]:
    """`batch` with canonical types; in halves where 32-bit offsets would not reach."""
    import pyarrow as pa

    try:
        columns = [
            _canonical_array(column, field.type)
            for column, field in zip(batch.columns, stored, strict=True)
        ]
    except pa.ArrowInvalid:
        if batch.num_rows < 2:
            raise
        half = batch.num_rows // 2
        yield from canonical_batch(batch.slice(0, half), stored)
        yield from canonical_batch(batch.slice(half), stored)
        return
    yield pa.RecordBatch.from_arrays(columns, schema=stored)


def _canonical_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.type.equals(kind):
        return array
    if pa.types.is_run_end_encoded(array.type):
        return _canonical_array(pc.run_end_decode(array), kind)
    if pa.types.is_dictionary(array.type):
        return _canonical_array(array.dictionary_decode(), kind)
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        # The offsets of a slice of a large array count from the array's start: begin anew.
        return array.take(pa.array(range(len(array)), pa.int32())).cast(kind)


class ColumnHasher:
    """Digest of one column, fed array by array.

    Streams: positions of nulls, lengths of lists and strings, values. What lies under a null and
    the bits of a NaN do not count.
    """

    def __init__(self, kind: pa.DataType) -> None:
        import pyarrow as pa

        t = pa.types
        self.kind = kind
        self.n = 0
        self.nulls, self.lengths, self.data = blake3(), blake3(), blake3()
        self.children: list[ColumnHasher] = []
        if isinstance(kind, pa.BaseExtensionType):
            self._feed, self.children = self._extension, [ColumnHasher(kind.storage_type)]
        elif t.is_null(kind):
            self._feed = self._nothing
        elif t.is_boolean(kind):
            self._feed = self._boolean
        elif t.is_string(kind) or t.is_binary(kind):
            self._feed = self._text
        elif t.is_struct(kind):
            self.children = [ColumnHasher(kind.field(i).type) for i in range(kind.num_fields)]
            self._feed = self._struct
        elif t.is_map(kind):
            entry = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
            self._entries = pa.list_(entry)
            self.children, self._feed = [ColumnHasher(entry)], self._map
        elif t.is_list(kind) or t.is_fixed_size_list(kind):
            self.children, self._feed = [ColumnHasher(kind.value_type)], self._list
        else:
            self.width = kind.bit_width // 8
            self.is_float = t.is_floating(kind)
            self._feed = self._fixed

    def update(self, array: pa.Array) -> None:
        """Append the values of `array`."""
        if len(array) == 0:
            return
        mask = None
        if array.null_count:
            import numpy as np

            mask = array.is_null().to_numpy(zero_copy_only=False)
            self.nulls.update((np.flatnonzero(mask).astype("<i8") + self.n).tobytes())
        self._feed(array, mask)
        self.n += len(array)

    def hexdigest(self) -> str:
        """Of everything fed so far."""
        parts = [self.n, self.nulls.hexdigest(), self.lengths.hexdigest(), self.data.hexdigest()]
        spelled = json.dumps([*parts, [child.hexdigest() for child in self.children]])
        return str(blake3(spelled.encode()).hexdigest())

    def _nothing(self, array: pa.Array, mask: Any) -> None:
        """All null: the number of rows says it all."""

    def _extension(self, array: Any, mask: Any) -> None:
        self.children[0].update(array.storage)

    def _boolean(self, array: pa.Array, mask: Any) -> None:
        import pyarrow as pa

        values = array if mask is None else array.fill_null(False)
        self.data.update(values.cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes())

    def _fixed(self, array: pa.Array, mask: Any) -> None:
        import numpy as np

        n, buffer = len(array), array.buffers()[1]
        if buffer is None:  # all null, and nothing was allocated
            self.data.update(bytes(n * self.width))
            return
        if self.width == 0:
            return
        start = array.offset * self.width
        raw = np.frombuffer(buffer, np.uint8, n * self.width, start)
        if mask is not None:
            raw = raw.reshape(n, self.width).copy()
            raw[mask] = 0
        if self.is_float:
            values = raw.reshape(-1).view(f"<f{self.width}")
            nan = values != values
            if nan.any():
                values = values.copy()
                values[nan] = np.nan
                raw = values.view(np.uint8)
        self.data.update(raw.reshape(-1).data)

    def _text(self, array: Any, mask: Any) -> None:
        import numpy as np

        n = len(array)
        offsets = np.frombuffer(array.buffers()[1], np.int32, n + 1, array.offset * 4)
        lengths = np.diff(offsets)
        if mask is not None and lengths[mask].any():
            clean = array.fill_null("" if str(array.type) == "string" else b"")
            self._text(clean, None)
            return
        self.lengths.update(lengths.astype("<i4", copy=False).view(np.uint8).data)
        values = array.buffers()[2]
        if values is not None and offsets[-1] > offsets[0]:
            self.data.update(memoryview(values)[offsets[0] : offsets[-1]])

    def _list(self, array: Any, mask: Any) -> None:
        import numpy as np
        import pyarrow as pa

        if pa.types.is_list(array.type):
            lengths = array.value_lengths().fill_null(0).to_numpy()
            self.lengths.update(np.ascontiguousarray(lengths, "<i4").view(np.uint8).data)
        # flatten() leaves out what lies under a null.
        self.children[0].update(array.flatten())

    def _map(self, array: pa.Array, mask: Any) -> None:
        self._list(array.cast(self._entries), mask)

    def _struct(self, array: Any, mask: Any) -> None:
        # flatten() makes the fields of a null struct null.
        for child, column in zip(self.children, array.flatten(), strict=True):
            child.update(column)
