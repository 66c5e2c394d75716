"""Chat templates of every form: contents as strings or parts, system turns or none, thinking aloud or not."""

from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from benchmarks.random_models import build
from shared.domain.prompts import Prompt, Turn
from shared.errors import BadInput
from shared.vlm.adapters.causal_lm import TextProcessor
from shared.vlm.adapters.control_tokens import end_of_turn
from shared.vlm.adapters.templates import render, traits_of, without_system_turns

ASK = (Turn("user", "Who is it?"),)
SYSTEM = (Turn("system", "Be brief."), *ASK)
TALK = (*ASK, Turn("assistant", "Mara."), Turn("user", "Where?"))

STRINGS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"
PARTS = "{% for m in messages %}[{{ m.role }}]{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
ADDED = "{% for m in messages %}{{ '[' + m.role + ']' + m.content }}{% endfor %}"  # cannot add a list to a string
REFUSES = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}"
)
IGNORES = "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
FIRST_ONLY = (
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('late') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}"
)
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)
THINKS = STRINGS + "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}"
GRANITE = STRINGS + "{% if thinking is not defined or thinking %}<think>{% endif %}"


def processor(template: Any) -> TextProcessor:
    _, built = build("qwen2", "tiny")
    assert isinstance(built, TextProcessor)
    built.chat_template = template
    built.tokenizer.chat_template = None
    return built


@pytest.mark.parametrize("template", [STRINGS, ADDED, PARTS])
def test_contents_are_given_in_the_form_that_the_template_takes(template: str) -> None:
    """Strings, or a list of parts."""
    assert render(processor(template), TALK).startswith("[user]Who is it?[assistant]Mara.[user]Where?")
    assert traits_of(processor(template)).parts == (template is PARTS)


def test_processor_for_pictures_is_given_parts() -> None:
    """As before; the picture's token comes from its part."""
    _, built = build("llava", "tiny")
    assert traits_of(built).parts
    assert render(built, ASK) == "USER: Who is it? ASSISTANT:"


@pytest.mark.parametrize("template", [REFUSES, IGNORES, ALTERNATES])
def test_system_text_stands_before_the_user_text_where_the_template_has_no_system_turns(template: str) -> None:
    """Whether the template raises an error or leaves it out in silence."""
    assert not traits_of(processor(template)).system_turns
    assert "[user]Be brief.\n\nWho is it?" in render(processor(template), SYSTEM)
    assert "system" not in render(processor(template), SYSTEM)


def test_system_turn_is_kept_where_the_template_has_it() -> None:
    assert render(processor(STRINGS), SYSTEM) == "[system]Be brief.[user]Who is it?[a]"


def test_later_system_turn_stands_before_the_next_user_text_where_the_template_wants_it_first() -> None:
    """The first one keeps its turn where no other follows; else all are moved."""
    built = processor(FIRST_ONLY)
    assert render(built, SYSTEM) == "[system]Be brief.[user]Who is it?"
    late = (*ASK, Turn("assistant", "Mara."), Turn("system", "Be kind."), Turn("user", "Where?"))
    assert render(built, late) == "[user]Who is it?[assistant]Mara.[user]Be kind.\n\nWhere?"


def test_no_system_text_is_lost() -> None:
    """Several at once, and one that nobody follows."""
    chat = (Turn("system", "A"), Turn("system", "B"), *TALK, Turn("system", "C"))
    texts = [turn.text for turn in without_system_turns(chat)]
    assert texts == ["A\n\nB\n\nWho is it?", "Mara.", "Where?", "C"]
    assert [turn.role for turn in without_system_turns(chat)] == ["user", "assistant", "user", "user"]


@pytest.mark.parametrize("template", [THINKS, GRANITE])
def test_thinking_aloud_is_turned_off_where_the_template_can(template: str) -> None:
    assert "<think>" not in render(processor(template), ASK)
    assert (
        processor(template).apply_chat_template([{"role": "user", "content": ""}], tokenize=False).endswith("<think>")
    )


def test_chat_that_the_template_refuses_is_bad_input_with_its_reason() -> None:
    """Two user turns after each other."""
    with pytest.raises(BadInput, match="refuses this chat: roles must alternate"):
        render(processor(ALTERNATES), (*ASK, *ASK))


@pytest.mark.parametrize("template", [None, "", {}, 3])
def test_missing_template_is_bad_input(template: Any) -> None:
    with pytest.raises(BadInput, match="has no chat template"):
        render(processor(template), ASK)


def test_templates_of_which_none_is_the_default_are_named() -> None:
    with pytest.raises(BadInput, match="chat templates named rag, tool_use, and none named default"):
        render(processor({"tool_use": STRINGS, "rag": STRINGS}), ASK)


@pytest.mark.parametrize(
    "change", ["m.content|lower", "m.content|capitalize", "m.content|e", "m.content|tojson", "m.content[:40]"]
)
def test_template_that_changes_what_is_said_is_refused(change: str) -> None:
    """A name would not be found in it."""
    with pytest.raises(BadInput, match=r"leaves out or changes what the user says\. Put the template"):
        render(processor(STRINGS.replace("m.content", change)), ASK)
    assert "Who is it?" in render(processor(STRINGS.replace("m.content", "m.content|trim")), ASK)


@pytest.mark.parametrize(
    "template",
    [
        STRINGS.replace("in messages", "in messages[-3:]"),
        STRINGS.replace("in messages", "in messages[-30:]"),
        STRINGS.replace("in messages", "in messages if m.role == 'user'"),
        STRINGS.replace("m.content", "m.content[:8000]"),
        STRINGS.replace("m.content", "(m.content if m.role == 'user' else '')"),
        PARTS.replace("in messages", "in messages[-1:]"),
    ],
)
def test_template_that_leaves_out_part_of_a_chat_is_refused(template: str) -> None:
    """Earlier turns, the end of a long text, what the assistant said: nobody would notice in the answers."""
    with pytest.raises(BadInput, match=r"leaves out or changes part of a chat\. Put the template"):
        traits_of(processor(template))


def test_template_that_takes_a_name_out_is_noticed_in_the_chat_that_has_it() -> None:
    """No sample knows which; the question would be answered about nobody, and a fit made of nothing."""
    built = processor(STRINGS.replace("m.content", "m.content|replace('Mara', 'somebody')"))
    assert "Who is Ivo?" in render(built, [Turn("user", "Who is Ivo?")])
    for chat in ([Turn("user", "Who is Mara?")], [Turn("user", "Mara?"), Turn("assistant", "Yes."), *ASK]):
        with pytest.raises(BadInput, match="for this chat: it leaves out or changes what the user says"):
            render(built, chat)


def test_turn_that_is_said_twice_has_to_be_written_twice() -> None:
    once = "{% if loop.first or loop.last or m.content != 'Who is it?' %}[{{ m.role }}]{{ m.content }}{% endif %}"
    built = processor("{% for m in messages %}" + once + "{% endfor %}")
    assert render(built, TALK)
    with pytest.raises(BadInput, match="leaves out or changes"):
        render(built, [*TALK, Turn("assistant", "Ruun."), *ASK, Turn("assistant", "Mara."), Turn("user", "Why?")])


def test_thoughts_of_earlier_answers_may_be_left_out() -> None:
    """As Qwen3 and DeepSeek do."""
    built = processor(STRINGS.replace("m.content", "m.content.split('</think>')[-1]"))
    chat = [*ASK, Turn("assistant", "<think>Hm.</think>Mara."), Turn("user", "Where?")]
    assert render(built, chat) == "[user]Who is it?[assistant]Mara.[user]Where?[a]"


def test_system_turn_that_is_lost_in_a_longer_chat_stands_before_the_user_text() -> None:
    lost = "{% if m.role != 'system' or messages|length < 3 %}[{{ m.role }}]{{ m.content }}{% endif %}"
    built = processor("{% for m in messages %}" + lost + "{% endfor %}")
    assert not traits_of(built).system_turns
    assert render(built, [SYSTEM[0], *TALK]).startswith("[user]Be brief.\n\nWho is it?[assistant]Mara.")


def test_template_that_writes_at_random_is_refused() -> None:
    """An answer could not be compared with an earlier one, nor a name be found in another rendering."""
    with pytest.raises(BadInput, match="something else each time"):
        render(processor("{{ range(1000)|random }}" + STRINGS), ASK)


@pytest.mark.parametrize("fault", ["{{ 1 / 0 }}", "{{ range(10**7) }}", "{{ 'x' * 10**13 }}"])
def test_any_fault_of_a_template_is_bad_input(fault: str) -> None:
    with pytest.raises(BadInput, match=r"chat template cannot be used: [^.]"):
        render(processor(fault + STRINGS), ASK)


@pytest.mark.parametrize(("template", "opens"), [(STRINGS, False), (STRINGS + "<think>\n", True), (THINKS, False)])
def test_thought_that_the_template_opens_is_noticed(template: str, *, opens: bool) -> None:
    assert traits_of(processor(template)).opens_thought == opens


def test_template_of_the_tokenizer_is_used_where_the_processor_has_none() -> None:
    """As in older folders."""
    built = processor(None)
    built.tokenizer.chat_template = STRINGS
    assert render(built, ASK) == "[user]Who is it?[a]"


def test_of_several_templates_the_default_one_is_used() -> None:
    built = processor({"tool_use": ALTERNATES, "default": STRINGS})
    assert render(built, ASK) == "[user]Who is it?[a]"


@pytest.mark.parametrize(
    ("family", "ends"),
    [
        ("llama", "<|eot_id|>"),
        ("qwen2", "<|im_end|>"),
        ("qwen3", "<|im_end|>"),
        ("gemma2", "<end_of_turn>"),
        ("mistral", "</s>"),
        ("llava", None),
    ],
)
def test_token_that_ends_a_turn_is_read_off_the_template(family: str, ends: str | None) -> None:
    """Vicuna's template writes none."""
    _, built = build(family, "tiny")
    tokenizer: PreTrainedTokenizerFast = built.tokenizer
    assert end_of_turn(built) == (None if ends is None else tokenizer.convert_tokens_to_ids(ends))


def test_prompt_with_text_like_a_template_is_not_rendered() -> None:
    """A message is a value, never a part of the program."""
    text = "{{ raise_exception('x') }}{% for m in messages %}"
    assert text in render(processor(STRINGS), Prompt.ask(text).turns)
