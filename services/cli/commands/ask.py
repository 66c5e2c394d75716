"""`lacuna ask`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import inference_client
from services.cli.files import read_as_data_url
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import console, print_answer


def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    photo: Annotated[Path | None, typer.Option(help="A picture that the question is about.")] = None,
    max_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.")] = 32,
    data: Data = DATA_FOLDER,
    account: As = "casey",
    as_json: Json = False,
) -> None:
    """Ask the served model a question."""
    content: list[dict[str, Any]] = [{"type": "text", "text": question}]
    if photo is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": read_as_data_url(photo)}})
    client = inference_client(data, account)
    model = client.get("/v1/models")["data"][0]["id"]
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": max_tokens}
    print_answer(client.post("/v1/chat/completions", body), as_json, _print_reply)


def _print_reply(completion: Any) -> None:
    console.print(completion["choices"][0]["message"]["content"])
    console.print(completion["system_fingerprint"], style="dim")
