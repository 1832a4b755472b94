"""Keep of a student's outputs what a person can look at safely: text and pictures, capped."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import nbformat

MAX_TEXT = 20_000  # characters of text a cell may show
MAX_ALL_TEXT = 10**6  # characters of text a notebook may show
MAX_IMAGE = 2**20  # bytes of one picture, in base64
MAX_IMAGES = 4 * 2**20  # bytes of a notebook's pictures together
MAX_OUTPUTS = 100  # outputs of one cell
PICTURES = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff"}  # and how each begins
NOT_KEPT = "[grader] an output of this kind, or this large, is not kept"
SHOWN = ("stream", "display_data", "execute_result", "update_display_data", "error")


@dataclass
class Kept:
    """How much of a notebook's outputs has been kept so far."""

    text: int = 0  # characters
    images: int = 0  # bytes


class CappedOutputs:
    """Mixin for nbclient: what its kernel says is put into a known form, and capped, before."""

    kept: Kept

    def process_message(
        self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int
    ) -> Any:
        """Handle one message of the kernel, after cutting it down."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "status":
            content = {"execution_state": str(content.get("execution_state"))[:20]}
        elif kind == "clear_output":
            content = {"wait": bool(content.get("wait"))}
        elif kind not in SHOWN:
            return None
        else:
            used = cell.metadata.get("autograder_used", 0)
            room = min(MAX_TEXT - used, MAX_ALL_TEXT - self.kept.text)
            if room <= 0 or len(cell.get("outputs", [])) >= MAX_OUTPUTS:
                return None
            content, shown = self._known_form(kind, content, room)
            cell.metadata["autograder_used"] = used + shown
            self.kept.text += shown
        return super().process_message(msg | {"content": content}, cell, cell_index)  # type: ignore[misc]

    def _known_form(
        self, kind: str, content: dict[str, Any], room: int
    ) -> tuple[dict[str, Any], int]:
        """Return a message's content as nbformat wants it, and the characters of text in it."""
        if kind == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            text = _whole(content.get("text", ""), room)
            return {"name": name, "text": text}, len(text)
        if kind == "error":
            traceback = content.get("traceback")
            lines = traceback[-30:] if isinstance(traceback, list) else []
            made: dict[str, Any] = {"traceback": [_whole(line, room // 30) for line in lines]}
            for field in ("ename", "evalue"):
                made[field] = _whole(content.get(field, ""), min(room, 2000))
            return made, sum(map(len, made["traceback"])) + len(made["evalue"])
        data = self._pictures_and_text(content.get("data"), room)
        made = {"data": data, "metadata": {}}
        if kind == "execute_result":
            made["execution_count"] = None
        transient = content.get("transient")
        display = transient.get("display_id") if isinstance(transient, dict) else None
        if isinstance(display, str):
            made["transient"] = {"display_id": _whole(display, 200)}
        return made, len(data.get("text/plain", ""))

    def _pictures_and_text(self, data: Any, room: int) -> dict[str, str]:
        data = data if isinstance(data, dict) else {}
        kept = {}
        if isinstance(data.get("text/plain"), str):
            kept["text/plain"] = _whole(data["text/plain"], room)
        for kind, beginning in PICTURES.items():
            value = data.get(kind)
            if isinstance(value, str) and self._room_for(value) and _is_picture(value, beginning):
                self.kept.images += len(value)
                kept[kind] = value
        return kept or {"text/plain": NOT_KEPT[:room]}

    def _room_for(self, picture: str) -> bool:
        return len(picture) <= MAX_IMAGE and self.kept.images + len(picture) <= MAX_IMAGES


def _whole(value: Any, room: int) -> str:
    """Return the beginning of a text that is one, without halves of characters."""
    return value[:room].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _is_picture(value: str, beginning: bytes) -> bool:
    """Return whether a text is a picture in base64, and nothing that could be anything else."""
    try:
        return base64.b64decode(value.replace("\n", ""), validate=True).startswith(beginning)
    except (ValueError, binascii.Error):
        return False
