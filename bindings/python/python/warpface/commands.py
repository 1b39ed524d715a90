"""What works on whole folders: the command's own code, in a process of its own, so that Ctrl-C ends it as it ends the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from .errors import CommandError

Path = str | os.PathLike[str]
#: Some inputs failed, and the others were done.
PARTLY = 3


def _flags(options: dict[str, Any]) -> list[str]:
    """`image_size=160` as `--image-size 160`; True is a flag alone, a list its values with commas."""
    flags: list[str] = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            flags.append(flag)
        elif isinstance(value, (list, tuple)):
            flags += [flag, ",".join(str(item) for item in value)]
        else:
            flags += [flag, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    return flags


def _run(command: list[str], options: dict[str, Any]) -> list[Any]:
    """Runs a command with `--json`; the objects that it prints. What it says goes to stderr as it is said."""
    line = [sys.executable, "-m", "warpface", *command, *_flags(options), "--json"]
    child = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    assert child.stdout is not None and child.stderr is not None
    said: list[str] = []
    try:
        for told in child.stderr:
            sys.stderr.write(told)
            said.append(told.rstrip())
        out = child.stdout.read()
        code = child.wait()
    except KeyboardInterrupt:
        # The terminal has told the child, too; who sent the signal to this process alone has not.
        child.send_signal(signal.SIGINT)
        child.wait()
        raise
    if code not in (0, PARTLY):
        error = CommandError(_problem(said) or f"`warpface {command[0]}` ended with exit code {code}")
        error.code = code
        raise error
    return [json.loads(row) for row in out.splitlines() if row.strip()]


def _problem(said: list[str]) -> str:
    """The paragraph that begins with the last `error:`."""
    begins = [number for number, line in enumerate(said) if line.startswith("error: ")]
    if not begins:
        return said[-1] if said else ""
    paragraph = said[begins[-1] :]
    end = paragraph.index("") if "" in paragraph else len(paragraph)
    return "\n".join(paragraph[:end]).removeprefix("error: ")


def lfw(folder: Path, pairs: Path | None = None, **options: Any) -> dict[str, Any]:
    """The LFW protocol on a folder of people, as `warpface lfw`; its flags are the arguments, and its JSON the result."""
    figures: dict[str, Any] = _run(["lfw", os.fspath(folder)], {"pairs": pairs, **options})[-1]
    return figures


def align_folder(folder: Path, output: Path, **options: Any) -> list[dict[str, Any]]:
    """Cuts the faces out of a folder of people, as `warpface align`; the objects that it prints."""
    return _run(["align", os.fspath(folder), os.fspath(output)], options)


def train(loss: str, folder: Path | None = None, **options: Any) -> list[dict[str, Any]]:
    """Trains on a folder of crops, as `warpface train softmax` or `triplet`; the objects that it prints."""
    return _run(["train", loss, *([] if folder is None else [os.fspath(folder)])], options)
