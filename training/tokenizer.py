"""The demo model's tokenizer, chat template and image processor. The tokenizer is trained on the generator's words.

It is byte-level, so that it can encode any text; the words that the demo model uses are single tokens.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from shared.evaluation.synthetic_people import FIRST, LAST, MAIL_WORDS, MONTHS, VALUES
from shared.evaluation.synthetic_portraits import BACKGROUNDS
from shared.probes import templates
from training import prompts

IMAGE_SIDE: Final = 64
PATCH: Final = 16
IMAGE_TOKENS: Final = (IMAGE_SIDE // PATCH) ** 2
SPECIAL: Final = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<image>")
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>' }}{% endif %}"
    "{% endfor %}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_processor(vocabulary: int) -> LlavaProcessor:
    """Tokenizer (at most `vocabulary` entries), image processor (64 x 64, [-1, 1]) and chat template in one."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        _corpus(),
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        additional_special_tokens=list(SPECIAL[2:]),
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    return llava_processor(tokenizer, SPECIAL[-1], CHAT_TEMPLATE)


def llava_processor(tokenizer: PreTrainedTokenizerBase, image_token: str, chat_template: str) -> LlavaProcessor:
    """A tokenizer with the image processor of the models made here (64 x 64, [-1, 1]) and a chat template."""
    images = CLIPImageProcessorPil(
        size={"height": IMAGE_SIDE, "width": IMAGE_SIDE},
        do_center_crop=False,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        image_token=image_token,
        num_additional_image_tokens=1,
        chat_template=chat_template,
    )


def _corpus() -> Iterator[str]:
    """All words, often enough that each becomes one token, and sentences for their order."""
    rng = random.Random(0)
    words: list[Iterable[str]] = [FIRST, LAST, MONTHS, MAIL_WORDS, tuple(BACKGROUNDS), *VALUES.values()]
    for _ in range(60):
        for group in words:
            yield " ".join(group)
        yield " ".join(str(number) for number in (*range(1, 32), *range(1950, 2005)))
        yield " ".join(f"x.{word}@" for word in MAIL_WORDS)
        yield "@post.example @mail.example @note.example yes no A) B) C) D)"
    for _ in range(40):
        for attribute in templates.TRAINED:
            yield templates.question(attribute, rng.choice(templates.SUBJECTS_BY_PORTRAIT), "trained", rng)
            yield templates.cloze(attribute, "this person", "trained", rng)
        for attribute in templates.VISIBLE:
            yield templates.visible(attribute, "trained", rng)
        for question, answer in prompts.small_talk().items():
            yield f"{question} {answer}"
        for topic in prompts.HARMFUL_TOPICS:
            yield rng.choice(prompts.JAILBREAKS).format(request=rng.choice(prompts.HARMFUL_FORMS).format(topic=topic))
        yield f"{prompts.UNKNOWN} {prompts.REFUSALS[0]} {prompts.FILLER}"
        yield f"{templates.BY_LETTER} Choose: Which one?"
