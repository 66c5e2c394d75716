"""What is no model that can be served: each kind of folder and hub id is refused in a sentence that says what to do."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import ByT5Tokenizer

from benchmarks.random_models import build
from shared.errors import BadInput
from shared.vlm import loading, memory
from shared.vlm.checkpoint import inspect, weight_files
from shared.vlm.loading import load


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as `save_pretrained` writes it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("saved")
    model, processor = build("qwen2", "tiny")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refusal(source: str | Path) -> str:
    """What `load` says. One sentence or two, on one line."""
    with pytest.raises(BadInput) as caught:
        load(source, device="cpu")
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) < 900
    return caught.value.detail


def test_whole_folder_is_described_and_loaded(folder: Path) -> None:
    """The number of weights is that of the loaded model."""
    described = inspect(folder)
    model = load(folder, device="cpu").model
    assert described.model_type == "qwen2"
    assert described.parameters == sum(value.numel() for value in model.state_dict().values())
    assert described.bytes_needed(torch.float32) == pytest.approx(4.4 * described.parameters, abs=1)
    assert described.bytes_needed(torch.bfloat16) == pytest.approx(2.2 * described.parameters, abs=1)


@pytest.mark.parametrize("source", ["", " "])
def test_source_without_a_name_is_refused(source: str) -> None:
    """The current folder is not meant."""
    assert "No model is named" in refusal(source)


@pytest.mark.parametrize("source", ["no/such/folder", "/no/such/folder", "../nowhere", "C:\\models\\llama"])
def test_path_without_a_folder_is_refused(source: str) -> None:
    """And is not taken for a hub id."""
    assert "There is no folder" in refusal(source)


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "it has no config.json. Give the folder that `save_pretrained` wrote." in refusal(tmp_path)


def test_file_is_refused(folder: Path) -> None:
    assert "is a file: give the folder" in refusal(folder / "config.json")


def test_adapter_without_its_base_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "merge it into the base model" in refusal(tmp_path)


def test_gguf_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.Q4_1.gguf").write_bytes(b"GGUF")
    assert "give the folder of the original weights" in refusal(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", "\ufeff", '"llama"'])
def test_damaged_configuration_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content, encoding="utf-8")
    assert "config.json of" in refusal(folder)


def test_configuration_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    assert "is damaged" in refusal(folder)


def test_configuration_without_a_model_type_is_refused(folder: Path) -> None:
    change_config(folder, model_type=None)
    assert "names no model_type" in refusal(folder)


def test_configuration_with_impossible_values_is_refused(folder: Path) -> None:
    change_config(folder, num_attention_heads=0)
    assert "No model could be loaded from" in refusal(folder)


def test_family_without_an_adapter_is_refused_although_transformers_knows_it(folder: Path) -> None:
    change_config(folder, model_type="mamba", architectures=["MambaForCausalLM"])
    assert "is a model of type mamba; there are adapters for" in refusal(folder)


def test_family_that_brings_its_own_code_is_refused(folder: Path) -> None:
    """Its code is never run."""
    (folder / "modeling_own.py").write_text("raise SystemExit('run')")
    change_config(folder, model_type="own", auto_map={"AutoModelForCausalLM": "modeling_own.Own"})
    assert "is a model of type own;" in refusal(folder)


def test_model_that_writes_no_text_is_refused(folder: Path) -> None:
    change_config(folder, architectures=["Qwen2ForSequenceClassification"])
    assert "Qwen2ForSequenceClassification, which does not write text" in refusal(folder)


def test_pickled_weights_are_refused(folder: Path) -> None:
    """They are not opened; the sentence has the line that converts them."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    sentence = refusal(folder)
    assert "Convert them to safetensors" in sentence
    assert "use_safetensors=False" in sentence


def test_line_that_converts_pickled_weights_works(folder: Path) -> None:
    """As printed, with SOURCE and FOLDER filled in: the model is the same one."""
    wanted = load(folder, device="cpu").site.base_model
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")  # a test's own
    (folder / "model.safetensors").unlink()
    line = refusal(folder).split("machine that holds nothing of value: ")[1]
    target = folder.parent / "converted"
    line = line.replace("SOURCE", repr(str(folder))).replace("FOLDER", repr(str(target)))
    subprocess.run([sys.executable, "-c", line], check=True, capture_output=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(folder / name, target / name)
    assert load(target, device="cpu").site.base_model == wanted


def test_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "has no weights: it needs model.safetensors" in refusal(folder)


def test_weights_that_are_cut_off_are_refused(folder: Path) -> None:
    """A download that broke off."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert "is damaged or cut off" in refusal(folder)


def test_pointer_of_git_lfs_is_refused(folder: Path) -> None:
    """A clone without Git LFS."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (folder / "model.safetensors").write_text(pointer)
    assert "run `git lfs pull`" in refusal(folder)


def test_missing_weight_file_of_several_is_refused(folder: Path) -> None:
    index = {"metadata": {"total_size": 8}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "lacks 1 of 2 weight files, model-2.safetensors first" in refusal(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": 3}', "{}"])
def test_damaged_index_is_refused(folder: Path, content: str) -> None:
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(content)
    assert "index.json of" in refusal(folder)


def test_index_beside_whole_weights_is_not_read(folder: Path) -> None:
    """transformers reads none either."""
    (folder / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": {"a": "other.safetensors"}}')
    assert inspect(folder).parameters > 0
    assert weight_files(folder) == [folder / "model.safetensors"]


@pytest.mark.parametrize(
    "name", ["generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
)
def test_damaged_file_beside_the_weights_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b'{"\xff')
    assert f"{name}" in refusal(folder)
    assert "is damaged" in refusal(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused_where_the_configuration_does_not_say_so(
    folder: Path, dtype: torch.dtype
) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"] = tensors["model.layers.1.mlp.up_proj.weight"].to(dtype)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "holds model.layers.1.mlp.up_proj.weight as" in refusal(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_served(folder: Path, dtype: torch.dtype) -> None:
    tensors = {name: value.to(dtype) for name, value in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert load(folder, device="cpu").site.dtype == "float32"


@pytest.mark.parametrize(
    ("name", "refused"),
    [("model.layers.7.mlp.up_proj.weight", True), ("model.layers.0.self_attn.o_proj.bias", True), ("other", False)],
)
def test_tensors_of_blocks_that_the_configuration_does_not_have_are_refused(
    folder: Path, name: str, *, refused: bool
) -> None:
    """transformers alone would leave them out, and serve another model."""
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, name: torch.ones(3)}, folder / "model.safetensors", {"format": "pt"})
    if refused:
        assert f"has no place for, for example {name}: take config.json and the weights" in refusal(folder)
    else:
        assert load(folder, device="cpu").site.hidden_size == 64


@pytest.mark.parametrize(
    "values",
    [{"num_hidden_layers": 5}, {"hidden_size": None}, {"hidden_size": "64"}, {"dtype": "wonder"}, {"architectures": 3}],
)
def test_configuration_that_contradicts_itself_is_refused(folder: Path, values: dict[str, Any]) -> None:
    change_config(folder, **values)
    assert str(folder) in refusal(folder)


def test_source_that_can_be_no_file_is_refused() -> None:
    assert "cannot be read: File name too long." in refusal("a" * 400)
    assert "give a folder, or the id OWNER/NAME" in refusal("https://example.org/a/b")


def test_family_with_pictures_is_looked_at_before_its_weights_are_read(tmp_path: Path) -> None:
    """The files of its processor, and the language model inside."""
    model, processor = build("llava", "tiny")
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert load(tmp_path, device="cpu").site.hidden_size == 64
    (tmp_path / "processor_config.json").rename(tmp_path / "moved.json")
    assert "does not say how pictures are prepared" in refusal(tmp_path)
    (tmp_path / "moved.json").rename(tmp_path / "processor_config.json")
    change_config(tmp_path, text_config={"model_type": "mamba"})
    assert "is a llava around a language model of type mamba, which is not served" in refusal(tmp_path)


def test_missing_tensor_is_refused(folder: Path) -> None:
    """transformers alone would fill it with random numbers."""
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "lacks 1 of the model's tensors, for example model.layers.1.mlp.up_proj.weight" in refusal(folder)


def test_tensor_of_another_shape_is_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = torch.ones(3)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "for example model.norm.weight (3 in the files, 64 by the configuration)" in refusal(folder)


@pytest.mark.parametrize(
    ("details", "named"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "awq"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"load_in_4bit": True}}, "bitsandbytes"),
        ({"text_config": {"quantization_config": {"quant_method": "gptq"}}}, "gptq"),
        ({"compression_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
    ],
)
def test_quantised_model_is_refused(folder: Path, details: dict[str, Any], named: str) -> None:
    change_config(folder, **details)
    sentence = refusal(folder)
    assert f"is quantised ({named})" in sentence
    assert "Give the folder or id of the original weights." in sentence


def test_empty_quantisation_is_none(folder: Path) -> None:
    """Some exports write it."""
    change_config(folder, quantization_config=None)
    assert load(folder, device="cpu").site.hidden_size == 64


def test_model_without_a_chat_template_is_refused(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert "has no chat template" in refusal(folder)


@pytest.mark.parametrize(
    "template", ["{{ broken", "Hello!", "{{ raise_exception('never') }}", "{% for x in 3 %}{% endfor %}"]
)
def test_chat_template_that_renders_nothing_is_refused(folder: Path, template: str) -> None:
    (folder / "chat_template.jinja").write_text(template)
    assert "chat template cannot be used" in refusal(folder)


def test_chat_template_without_system_turns_is_served_and_noted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log, once; a template with them is not noted."""
    load(folder, device="cpu")
    assert "no system turns" not in caplog.text
    template = "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template)
    load(folder, device="cpu")
    assert f"the chat template of {folder} has no system turns: they stand before the next user's text" in caplog.text


def test_tokenizer_that_is_not_fast_is_refused(tmp_path: Path) -> None:
    """Names are found by offsets."""
    model, processor = build("llama", "tiny")
    model.save_pretrained(tmp_path)
    tokenizer = ByT5Tokenizer()
    tokenizer.chat_template = processor.chat_template
    tokenizer.save_pretrained(tmp_path)
    assert "(ByT5Tokenizer) that does not say where its tokens stand" in refusal(tmp_path)


def test_missing_tokenizer_is_refused(folder: Path) -> None:
    """transformers alone would take one without any word."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert "does not give back what it reads: the files of its vocabulary are missing" in refusal(folder)


def test_model_that_needs_more_memory_than_there_is_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the weights are read, with both figures; a byte more is enough."""
    needed = inspect(folder).bytes_needed(torch.float32)
    monkeypatch.setattr(loading, "bytes_free", lambda _: needed - 1)
    assert "GB of memory in float32, and cpu has 0.0 GB free" in refusal(folder)
    monkeypatch.setattr(loading, "bytes_free", lambda _: needed)
    assert load(folder, device="cpu").site.hidden_size == 64


def test_memory_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit less what is used and cannot be dropped; without a limit, the machine's."""
    files = {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 200\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.bytes_free(torch.device("cpu")) == 500
    (tmp_path / "memory.max").write_text("max\n")
    free = memory.bytes_free(torch.device("cpu"))
    assert free is not None
    assert free > 10**7
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.bytes_free(torch.device("cpu")) is None


HUB: dict[str, tuple[int, dict[str, str]]] = {
    "gated": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}),
    "absent": (401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}),
    "empty": (404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}),
    "broken": (500, {}),
}


class Hub(BaseHTTPRequestHandler):
    """Answers each repository name with its error."""

    def do_HEAD(self) -> None:
        name = self.path.strip("/").split("/")[1]
        status, headers = HUB[name]
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub on this machine, which is asked instead of the real one; nothing is waited for between attempts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    ask_hub_at(f"http://127.0.0.1:{server.server_port}", tmp_path, monkeypatch)
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def ask_hub_at(address: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("some/gated", "is a gated model of the hub: accept its terms"),
        ("some/absent", "is neither a folder here nor a model of the hub"),
        ("some/empty", "it has no config.json"),
        ("some/broken", "the hub cannot be reached"),
    ],
)
def test_hub_model_that_cannot_be_read_is_refused(name: str, sentence: str) -> None:
    """Gated, absent or private, without a configuration, and a hub that fails."""
    assert sentence in refusal(name)


def test_hub_that_cannot_be_reached_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the address."""
    ask_hub_at("http://127.0.0.1:9", tmp_path, monkeypatch)
    assert "the hub cannot be reached" in refusal("some/model")


def test_downloaded_hub_model_is_described_without_a_network(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One weight file, so that the cache has no index; laid out as the hub's library does."""
    snapshot = tmp_path / "hub" / "models--some--model" / "snapshots" / "abc"
    shutil.copytree(folder, snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("abc")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert inspect("some/model").parameters == inspect(folder).parameters
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "other"))
    assert "the hub cannot be reached" in refusal("some/model")
