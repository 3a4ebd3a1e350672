"""
Contexts: options of the command under a name, kept in a file that only its owner can read.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidOption

__all__ = ["all_contexts", "own_file", "read_context", "write_contexts"]

_FILES = ("auth_file", "authorities", "certificate", "private_key")
_LISTS = ("host", "auth", "auth_prompt", "transport", "header")


def own_file(variable: str, folder: str, name: str) -> Path:
    """
    A file of the command, in the place that the XDG Base Directory Specification has for it.

    :param variable: of the environment, that names a folder.
    :param folder: which it is otherwise, in the user's home.
    :param name: of the file.
    """
    home = os.environ.get(variable, "")
    base = Path(home) if os.path.isabs(home) else Path.home() / folder
    return base / "tokensock" / name


def _contexts_file() -> Path:
    return own_file("XDG_CONFIG_HOME", ".config", "contexts.json")


def all_contexts() -> dict[str, dict[str, Any]]:
    """
    The options of each context.

    :raises InvalidOption: if the file cannot be read, or is not as :func:`write_contexts` writes
        it; the text shows no value.
    """
    path = _contexts_file()
    try:
        contexts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise InvalidOption(f"{path}: {problem.strerror}") from None
    except ValueError:
        raise InvalidOption(f"{path} is not valid JSON") from None
    if not isinstance(contexts, dict) or not all(map(_is_context, contexts.values())):
        raise InvalidOption(f"{path} does not hold contexts")
    return contexts


def _is_context(options: object) -> bool:
    return isinstance(options, dict) and all(
        isinstance(value, list) and all(isinstance(text, str) for text in value)
        if name in _LISTS
        else isinstance(value, float if name == "timeout" else str | bool)
        for name, value in options.items()
    )


def read_context(name: str) -> dict[str, Any]:
    """
    The options of one context.

    :raises InvalidOption: if there is none of this name, or the file cannot be read.
    """
    contexts = all_contexts()
    if name not in contexts:
        known = ", ".join(contexts) or "none"
        raise InvalidOption(f"there is no context {name!r} (known: {known})")
    return contexts[name]


def write_contexts(contexts: Mapping[str, Mapping[str, Any]]) -> None:
    """
    Write all contexts, for the owner's eyes only.  Names of files become absolute, for the
    command runs elsewhere the next time.

    :raises OSError: if it cannot be written.
    """
    path = _contexts_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {
        name: {
            option: os.path.abspath(value) if option in _FILES else value
            for option, value in options.items()
        }
        for name, options in contexts.items()
    }
    descriptor, new = tempfile.mkstemp(dir=path.parent)  # which has the mode 0600
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=2)
    os.replace(new, path)
