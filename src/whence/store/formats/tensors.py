"""Torch tensors and state dicts, as safetensors: no code runs when they are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blake3 import blake3

from whence.errors import ValueFault
from whence.store.artifact import content_digest
from whence.store.encoded import encoded_file
from whence.store.formats.faults import WrongForm
from whence.store.formats.jsontext import json_bytes

if TYPE_CHECKING:
    from whence.store.artifact import JSON, Artifact
    from whence.store.formats.codec import Reading, Writing

_SINGLE = "tensor"


class TensorCodec:
    """A torch.Tensor, or a dict of them by name (a state dict)."""

    name = "tensors"

    def encode(self, value: Any, writing: Writing) -> Artifact:
        import torch
        from safetensors.torch import save

        if isinstance(value, torch.nn.Module):
            raise ValueFault(
                f"Node '{writing.node}' returned a {type(value).__name__}, a module with code.",
                "return its weights, model.state_dict(), and load them where they are used.",
            )
        single = isinstance(value, torch.Tensor)
        given = {_SINGLE: value} if single else value
        tensors = {name: _portable(name, given[name], writing.node) for name in sorted(given)}
        shapes: list[JSON] = []
        parts: list[str | bytes] = []
        for name, tensor in tensors.items():
            shape: list[JSON] = [name, str(tensor.dtype), list(tensor.shape)]
            data = tensor.reshape(-1).view(torch.uint8) if tensor.numel() else None
            digest = blake3(b"" if data is None else data.numpy().data).hexdigest()
            shapes.append(shape)
            parts += [json_bytes(shape), digest]
        return writing.store(
            "tensors",
            save(tensors, {"whence": "tensor" if single else "dict"}),
            encoding="safetensors",
            digest=content_digest("tensors", "tensor" if single else "dict", *parts),
            summary={
                "type": "tensor" if single else "tensors",
                "tensors": shapes[:50],
                "size": len(shapes),
            },
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        from safetensors.torch import load, load_file

        single = artifact.summary.get("type") == "tensor"
        if form is not None and not (single and form == "numpy.ndarray"):
            raise WrongForm.of("tensors", form)
        where = encoded_file(artifact, reading.blobs)
        found = load_file(where) if isinstance(where, str) else load(where.read())
        tensors = {name: found[name] for name in sorted(found)}
        if not single:
            return tensors
        tensor = tensors[_SINGLE]
        return tensor.numpy() if form else tensor


def _portable(name: str, tensor: Any, node: str) -> Any:
    """On the CPU, dense, in C order, in memory of its own, without gradients."""
    if tensor.layout is not _strided() or tensor.is_quantized:
        raise ValueFault(
            f"The tensor '{name}' of node '{node}' is sparse or quantised ({tensor.layout}).",
            "convert it with to_dense() or dequantize().",
        )
    # A clone, since tensors of one state dict may share their memory.
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().clone()


def _strided() -> Any:
    import torch

    return torch.strided
