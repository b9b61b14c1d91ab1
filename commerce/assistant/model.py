"""Which model answers: the server that is set, with the built-in one where it fails, or the built-in one alone."""

from commerce.assistant.answerer import BuiltIn
from core.inference.chat import ChatModel
from core.inference.fallback import FallbackChat
from core.resources import Resources


def model_of(resources: Resources) -> ChatModel:
    built_in = BuiltIn(resources.settings.shop.currency)
    return FallbackChat(resources.chat, built_in) if resources.chat is not None else built_in
