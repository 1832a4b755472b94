"""Keep of a student's outputs what a person can look at safely: text and pictures, capped."""

from __future__ import annotations

from typing import Any

import nbformat

MAX_TEXT = 20_000  # characters of text a cell may show
MAX_IMAGE = 2 * 2**20  # bytes of one picture, in base64
MAX_OUTPUTS = 100  # outputs of one cell
KEPT_TYPES = ("text/plain", "image/png", "image/jpeg")


class CappedOutputs:
    """Mixin for nbclient: caps what a cell may show and keeps only text and pictures."""

    def process_message(
        self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int
    ) -> Any:
        """Handle one message of the kernel, after cutting it down."""
        content = msg.get("content", {})
        kind = msg.get("msg_type", "")
        if kind.startswith("comm"):
            return None
        used = cell.metadata.get("autograder_used", 0)
        if kind in ("stream", "display_data", "execute_result", "update_display_data", "error"):
            if used >= MAX_TEXT or len(cell.get("outputs", [])) >= MAX_OUTPUTS:
                return None
            cell.metadata["autograder_used"] = used + _cut(content, MAX_TEXT - used)
        return super().process_message(msg, cell, cell_index)  # type: ignore[misc]


def _cut(content: dict[str, Any], room: int) -> int:
    """Cut a message's content to the room left; return the characters of text it uses."""
    if "text" in content:
        content["text"] = str(content["text"])[:room]
        return len(content["text"])
    if "data" in content:
        data = content["data"] if isinstance(content["data"], dict) else {}
        content["data"] = {
            kind: str(value)[: MAX_IMAGE if kind.startswith("image") else room]
            for kind, value in data.items()
            if kind in KEPT_TYPES and not (kind.startswith("image") and len(str(value)) > MAX_IMAGE)
        } or {"text/plain": "[grader] an output of this kind is not kept"}
        content["metadata"] = {}
        return len(content["data"].get("text/plain", ""))
    for field in ("ename", "evalue"):
        content[field] = str(content.get(field, ""))[: min(room, 2000)]
    content["traceback"] = [str(line)[:room] for line in list(content.get("traceback", []))[-30:]]
    return sum(map(len, content["traceback"]))
