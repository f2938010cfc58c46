"""Write the browser's side of the wire from `events.py`: `python -m workers.protocol.typescript [--check]`."""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from workers.protocol.event import Event
from workers.protocol.events import EVENTS
from workers.protocol.frame import ALIGNMENT, MAGIC, PREFIX, VERSION

TARGET = Path(__file__).resolve().parents[2] / "static" / "src" / "wire" / "messages.ts"
VIEWS = {"u8": "Uint8Array", "u16": "Uint16Array", "i32": "Int32Array", "f32": "Float32Array"}
PLAIN = {int: "number", float: "number", str: "string", bool: "boolean", type(None): "null"}


def typescript() -> str:
    """The text of messages.ts."""
    classes = list(EVENTS.values())
    parts = [
        "// Written by `python -m workers.protocol.typescript` from workers/protocol/events.py. Do not edit.\n",
        f'export const MAGIC = "{MAGIC.decode()}";\nexport const VERSION = {VERSION};\n'
        f"export const PREFIX_BYTES = {PREFIX.size};\nexport const ALIGNMENT = {ALIGNMENT};\n",
        "export interface TypedArrays {\n" + "".join(f"  {dtype}: {view};\n" for dtype, view in VIEWS.items()) + "}\n",
        "export interface ShapedArray<D extends keyof TypedArrays> {\n"
        "  readonly values: TypedArrays[D];\n  readonly shape: readonly number[];\n}\n",
        *map(_interface, classes),
        "export type RunEvent =\n" + "\n".join(f"  | {event.__name__}" for event in classes) + ";\n",
        "export const ENDINGS: ReadonlySet<string> = new Set(["
        + ", ".join(f'"{event.type}"' for event in classes if event.ends_run)
        + "]);\n",
    ]
    return "\n".join(parts)


def _interface(event: type[Event]) -> str:
    hints = get_type_hints(event)
    lines = [f'  readonly type: "{event.type}";']
    for f in fields(event):
        came_later = (f.default, f.default_factory) != (MISSING, MISSING) and f.name != "seq"
        lines.append(f"  readonly {f.name}{'?' if came_later else ''}: {_type(hints[f.name])};")
    if event.arrays:
        lines.append("  readonly arrays: {")
        for name, spec in event.arrays.items():
            lines.append(f"    /** [{', '.join(spec.axes)}] */")
            lines.append(f'    readonly {name}{"?" if spec.later else ""}: ShapedArray<"{spec.dtype}">;')
        lines.append("  };")
    summary = (event.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    return f"/** {summary} */\nexport interface {event.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def _type(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is Literal:
        return " | ".join(f'"{arg}"' for arg in args)
    if origin in (Union, UnionType):
        return " | ".join(map(_type, args))
    if origin is list:
        inner = _type(args[0])
        # TypeScript has "readonly T[]", but no "readonly readonly T[][]".
        return f"readonly ({inner})[]" if inner.startswith("readonly ") else f"readonly {inner}[]"
    if origin is dict:
        return f"Readonly<Record<{_type(args[0])}, {_type(args[1])}>>"
    raise TypeError(f"no TypeScript is known for {hint}")


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if TARGET.exists() and TARGET.read_text() == typescript():
            return 0
        print("messages.ts is stale: run python -m workers.protocol.typescript", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(typescript())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
