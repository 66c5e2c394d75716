"""LLaVA-NeXT, that is LLaVA-1.6: see anyres.py."""

from transformers import LlavaNextForConditionalGeneration

from shared.vlm.adapters.anyres import AnyResAdapter


class LlavaNextAdapter(AnyResAdapter):
    """`LlavaNextForConditionalGeneration` with `LlavaNextProcessor`."""

    model_class = LlavaNextForConditionalGeneration
    cuts_several = True
