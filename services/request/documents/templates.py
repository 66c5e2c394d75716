"""Templates of pages and letters: strict about names, and with the sentences of a language."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.request.documents.language import Language


def open_templates(folder: Path, language: Language, *, escapes: bool = True) -> Environment:
    """The templates of `folder`, whose sentences (`_("...")`) are in `language`; a name without a value is an error.

    Values are escaped for HTML, unless the templates are plain text (`escapes=False`).
    """
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=escapes,  # noqa: S701 - only where a caller says that it is plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    return environment
