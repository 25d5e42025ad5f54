"""What can be wrong with a value that is to be stored or read back."""

from __future__ import annotations

from whence.errors import ValueFault


class NoneReturned(ValueFault):
    """A node returned None: most often a forgotten `return`."""

    @classmethod
    def of(cls, node: str) -> NoneReturned:
        return cls(
            f"Node '{node}' returned None.",
            "return a value; a node whose result may be empty can return [] or {'value': None}.",
        )


class UnknownType(ValueFault):
    """No format stores values of this type."""

    @classmethod
    def of(cls, node: str, value: object, where: str = "", why: str = "") -> UnknownType:
        name = type_name(type(value))
        place = f" at {where}" if where else ""
        return cls(
            f"Node '{node}' returned a value of type {name}{place}, which no format can store"
            f"{why and ': ' + why}.",
            "return a table, array, dict, list, dataclass, figure, path, estimator or tensors; or "
            f"call whence.register_format({name.rpartition('.')[2]}, ...); or, as a last resort, "
            "declare the node with allow_pickle=True.",
        )


class WrongForm(ValueFault):
    """An artifact cannot be given in the form that the consumer asks for."""

    @classmethod
    def of(cls, format_name: str, form: str) -> WrongForm:
        return cls(
            f"A value of format '{format_name}' cannot be given as {form}.",
            "change the annotation of the parameter, or what the upstream node returns.",
        )


def type_name(kind: type) -> str:
    """`kind` as "module.qualname"; builtins without their module."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
