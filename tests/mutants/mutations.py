"""
What a mutant is, and every mutant of a module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutant", "mutants_of"]

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

_UNTESTED = {"__init__", "__repr__", "__str__"}
"""Functions whose result is for people, or without whose statements nothing works."""

_LOGS = {"_log", "log", "_logger"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One fault.

    :ivar path: of the module, from the root of the project.
    :ivar function: in which function it is.
    :ivar first: its first line.
    :ivar last: its last line.
    :ivar start: where what it replaces begins, in bytes of the module.
    :ivar end: where that ends.
    :ivar before: what it replaces.
    :ivar after: what it puts there.
    """

    path: str
    function: str
    first: int
    last: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        before = " ".join(self.before.split())
        return f"{self.path}: {self.function}: {before} -> {' '.join(self.after.split())}"

    def apply(self, source: bytes) -> bytes:
        """Put the fault into the module's source."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants_of(root: Path, path: str) -> list[Mutant]:
    """
    Every mutant of a module, in the order of their places.

    :param root: of the project.
    :param path: of the module, from there.
    """
    source = (root / path).read_bytes()
    lines = source.splitlines(keepends=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line))
    found = []
    for function, node in _functions(ast.parse(source), ""):
        for statement in node.body:
            for old, new in _changes(statement):
                start = begins[old.lineno - 1] + old.col_offset
                end = begins[(old.end_lineno or 0) - 1] + (old.end_col_offset or 0)
                before = source[start:end].decode()
                found.append(
                    Mutant(
                        path, function, old.lineno, old.end_lineno or 0, start, end, before, new
                    )
                )
    return found


def _functions(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, _FUNCTION) and child.name not in _UNTESTED:
            yield f"{prefix}{child.name}", child


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Each place below ``node`` that can be changed, and what is put there."""
    if isinstance(node, ast.Assert | ast.Raise) or _is_log(node):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
        yield node, "pass"
    if isinstance(node, ast.Delete | ast.AugAssign):
        yield node, "pass"
    if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple):
        yield node, "pass"
    if isinstance(node, ast.expr):
        yield from ((node, new) for new in _other_values(node))
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            # An f-string is a text for people; its parts have no places of their own.
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _changes(child)


def _other_values(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Compare(ops=[op]):
            other = ast.Compare(node.left, [_COMPARISONS[type(op)]()], node.comparators)
            yield f"({ast.unparse(other)})"
        case ast.BoolOp(op=op, values=values):
            for dropped in range(len(values)):
                rest = [value for at, value in enumerate(values) if at != dropped]
                left = rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
                yield f"({ast.unparse(left)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            sign = ast.Sub() if isinstance(op, ast.Add) else ast.Add()
            if not isinstance(left, ast.Constant) or not isinstance(left.value, str | bytes):
                yield f"({ast.unparse(ast.BinOp(left, sign, right))})"
        case ast.Constant(value=bool() as value):
            yield str(not value)
        case ast.Constant(value=int() | float() as value):
            yield str(value + 1)
        case ast.Call(func=ast.Name(id="reversed" | "sorted"), args=[values]):
            yield f"list({ast.unparse(values)})"


def _is_log(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in _LOGS
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name)))):
            return name in _LOGS
    return False
