"""A reader of the first blocks against the whole model: the same evidence bit for bit, the same site."""

from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.random_models import build
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.readout import Readout
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput, SiteMismatch
from shared.vlm.adapters.causal_lm import MODEL_TYPES
from shared.vlm.engine import Engine
from shared.vlm.loading import FAMILIES, load, wrap
from shared.vlm.reader import ByteBoundedCache, Reader

OFTEN = {"llama", "qwen3", "gemma3_text", "mixtral"}  # of the families that share one adapter
DEPTHS = (1, 2)


@cache
def whole_model(family: str) -> Engine:
    torch.manual_seed(0)
    return Engine(wrap(*build(family, "tiny")))


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in MODEL_TYPES and name not in OFTEN else [])
        for name in sorted(FAMILIES)
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    return whole_model(request.param)


@pytest.fixture
def folder(engine: Engine, tmp_path: Path) -> Path:
    return saved(engine, tmp_path)


def saved(engine: Engine, path: Path) -> Path:
    engine.vlm.model.save_pretrained(path)
    engine.vlm.processor.save_pretrained(path)
    return path


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(noise.byte().numpy())


def prompts(engine: Engine) -> list[Prompt]:
    """Texts of several lengths; one and two pictures, and one in an earlier turn, where the model reads pictures."""
    asked = [Prompt.ask("Where does she live?"), Prompt.ask("Where does he live, and why?"), Prompt.ask("Who? " * 20)]
    if engine.vlm.adapter.has_pictures:
        first, second = picture(70, 60), picture(120, 90, 1)
        asked += [
            Prompt.ask("Who is this person?", first),
            Prompt((Turn("user", "Who are they?", (first, second)),)),
            Prompt((Turn("user", "Who?", (second,)), Turn("assistant", "Mara."), Turn("user", "Where is she?"))),
        ]
    return asked


def rows_of(readout: Readout) -> list[Tensor]:
    ragged = [readout.pictures, readout.words, *([readout.embedded] if readout.embedded is not None else [])]
    return [readout.last, *(tensor for rows in ragged for tensor in (rows.rows, rows.of))]


def same(one: Readout, other: Readout) -> bool:
    pairs = zip(rows_of(one), rows_of(other), strict=True)
    return one.texts == other.texts and all(torch.equal(a, b) for a, b in pairs)


def test_evidence_of_the_first_blocks_is_that_of_the_whole_model_to_the_last_bit(engine: Engine, folder: Path) -> None:
    asked = prompts(engine)
    for depth in DEPTHS:
        reader, layers = Reader.load(folder, depth, device="cpu"), tuple(range(depth))
        assert reader.blocks == depth < len(engine.vlm.adapter.blocks)
        encoded = reader.encode(asked)
        for positions, _, whole in engine.examine_batches(asked, max_new_tokens=1, layers=layers):
            assert same(reader.read_batch([encoded[place] for place in positions], layers), whole)


def test_site_is_that_of_the_whole_model(engine: Engine, folder: Path) -> None:
    reader = Reader.load(folder, 1, device="cpu")
    assert reader.site == engine.vlm.site
    assert sum(p.numel() for p in reader.vlm.model.parameters()) < sum(p.numel() for p in engine.vlm.model.parameters())


@pytest.mark.parametrize("family", ["llava", "mixtral"])
def test_weights_of_the_other_blocks_belong_to_the_site_and_not_to_the_evidence(family: str, tmp_path: Path) -> None:
    engine = whole_model(family)
    saved(engine, tmp_path)
    path = tmp_path / "model.safetensors"
    before, tensors = Reader.load(tmp_path, 1, device="cpu"), load_file(path)
    changed = next(name for name in sorted(tensors) if ".2." in name and "norm" in name and "vision" not in name)
    save_file(tensors | {changed: tensors[changed] + 1}, path, {"format": "pt"})
    after = Reader.load(tmp_path, 1, device="cpu")
    assert after.site.base_model != before.site.base_model
    assert after.site == load(tmp_path, device="cpu").site
    encoded = before.encode([Prompt.ask("Where does she live?")])
    assert same(before.read_batch(encoded, (0,)), after.read_batch(encoded, (0,)))


def test_half_precision_file_has_the_site_of_the_precision_that_is_served(tmp_path: Path) -> None:
    """The files hold bfloat16 and the CPU serves float32."""
    engine = whole_model("llava")
    engine.vlm.processor.save_pretrained(tmp_path)
    model, _ = build("llava", "tiny", dtype=torch.bfloat16)
    model.save_pretrained(tmp_path)
    assert Reader.load(tmp_path, 1, device="cpu").site == load(tmp_path, device="cpu").site


def test_tensor_that_is_missing_from_the_first_blocks_is_refused(tmp_path: Path) -> None:
    saved(whole_model("llava"), tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    gone = next(name for name in tensors if name.endswith("layers.0.mlp.up_proj.weight") and "vision" not in name)
    del tensors[gone]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(BadInput, match="lacks 1 of the model's tensors"):
        Reader.load(tmp_path, 1, device="cpu")


@pytest.mark.parametrize("blocks", [0, 4, -1])
def test_number_of_blocks_that_the_model_does_not_have_is_refused(tmp_path: Path, blocks: int) -> None:
    saved(whole_model("llava"), tmp_path)
    with pytest.raises(BadInput, match="The model has 3 decoder blocks"):
        Reader.load(tmp_path, blocks, device="cpu")


def test_eraser_that_reads_deeper_or_another_model_is_refused(tmp_path: Path) -> None:
    engine = whole_model("llava")
    reader = Reader.load(saved(engine, tmp_path), 1, device="cpu")
    eraser = Eraser(LACUNA, engine.vlm.site, torch.zeros(3, engine.vlm.site.hidden_size), (0, 1))
    with pytest.raises(SiteMismatch, match="reads block 1, and the reader has the first 1"):
        reader.check(eraser)
    with pytest.raises(SiteMismatch, match="another site"):
        reader.check(Eraser.empty(LACUNA, whole_model("gemma3").vlm.site))
    reader.check(Eraser.empty(LACUNA, engine.vlm.site))
    with pytest.raises(SiteMismatch, match="first 1 blocks"):
        reader.read(reader.encode([Prompt.ask("Who?")]), (1,))


@pytest.mark.parametrize("family", [name for name in sorted(FAMILIES) if FAMILIES[name].has_pictures])
def test_what_was_read_is_not_read_again(family: str, tmp_path: Path) -> None:
    """A whole prompt, and the pictures of a chat's earlier turns; the evidence is the same as from a fresh reader."""
    engine = whole_model(family)
    reader = Reader.load(saved(engine, tmp_path), 1, device="cpu")
    first = Prompt.ask("Who is this?", picture(70, 60))
    second = Prompt((*first.turns, Turn("assistant", "Mara."), Turn("user", "Where does she live?")))
    pictures = reader.pictures
    assert pictures is not None
    (once,) = reader.read(reader.encode([first]), (0,))
    assert (reader.prompts_read, pictures.hits) == (1, 0)
    (twice,) = reader.read(reader.encode([first]), (0,))
    assert reader.prompts_read == 1
    assert same(once, twice)
    (later,) = reader.read(reader.encode([second]), (0,))
    assert (reader.prompts_read, pictures.hits) == (2, 1)
    fresh = Reader.load(tmp_path, 1, device="cpu")
    assert same(later, *fresh.read(fresh.encode([second]), (0,)))
    assert fresh.pictures is not None
    assert fresh.pictures.hits == 0


def test_prompts_of_one_call_keep_their_order(tmp_path: Path) -> None:
    engine = whole_model("llava")
    reader = Reader.load(saved(engine, tmp_path), 2, device="cpu")
    asked = [*prompts(engine), prompts(engine)[0]]
    together = reader.read(reader.encode(asked), (0, 1))
    for prompt, readout in zip(asked, together, strict=True):
        assert readout.count == 1
        (alone,) = Reader(reader.vlm).read(reader.encode([prompt]), (0, 1))
        assert readout.texts == alone.texts
        torch.testing.assert_close(readout.last, alone.last)  # padded beside others: the last bits may differ


def test_prompt_that_is_too_long_is_refused(tmp_path: Path) -> None:
    reader = Reader.load(saved(whole_model("llava"), tmp_path), 1, device="cpu")
    with pytest.raises(BadInput, match="tokens; the model has"):
        reader.encode([Prompt.ask("Who? " * 5000)])


def test_cache_lets_go_of_what_was_used_least_lately() -> None:
    cache = ByteBoundedCache[str](10)
    cache.put(b"a", "A", 4)
    cache.put(b"b", "B", 4)
    assert cache.get(b"a") == "A"
    cache.put(b"c", "C", 4)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == ("A", None, "C")
    cache.put(b"d", "too large", 11)
    assert cache.get(b"d") is None
    assert (len(cache), cache.size_bytes) == (2, 8)
    cache.put(b"a", "again", 4)
    assert (cache.get(b"a"), cache.size_bytes) == ("A", 8)


def test_batch_of_nothing_is_nothing(tmp_path: Path) -> None:
    reader = Reader.load(saved(whole_model("llava"), tmp_path), 1, device="cpu")
    assert reader.read(reader.encode([]), (0,)) == []
