"""Lacuna ask."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import inference_client
from services.cli.options import FOLDER, As, Data, Json, _answer, _data_url
from services.cli.render import tables


def ask(
    question: str,
    photo: Annotated[Path | None, typer.Option(help="A picture that the question is about.")] = None,
    max_tokens: int = 32,
    data: Data = FOLDER,
    who: str = As("casey"),
    json: Json = False,
) -> None:
    """Ask the served model."""
    content: list[dict[str, Any]] = [{"type": "text", "text": question}]
    if photo is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": _data_url(photo)}})
    client = inference_client(data, who)
    model = client.get("/v1/models")["data"][0]["id"]
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": max_tokens}
    answer = client.post("/v1/chat/completions", body)

    def said(reply: Any) -> None:
        tables.console.print(reply["choices"][0]["message"]["content"], markup=False)
        tables.console.print(reply["system_fingerprint"], style="dim")

    _answer(answer, json, said)
