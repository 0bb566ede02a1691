"""Say which language Chinese and French text is in, so that a screen reader reads it with the right voice."""

import re

TAG = re.compile(r"(<(?:script|style)\b.*?</(?:script|style)>|<[^>]+>)", re.DOTALL)
CHINESE = re.compile(r"[\u3400-\u9fff][\u3400-\u9fff\u3000-\u303f\uff00-\uffef]*")
FRENCH = re.compile(r"Le Petit Prince")
FRENCH_WORDS = re.compile(r"\b(?:le|la|les|une|dans|elles?|ils?|puis|sous|dit)\b")
ENOUGH = 4  # of these words: the text is French


def mark(page: str) -> str:
    """Return HTML in which Chinese characters, French text and the story's title stand in `<span lang="...">`."""
    parts = TAG.split(page)  # text and tags by turns
    parts[::2] = [mark_text(text) for text in parts[::2]]
    return "".join(parts)


def mark_text(text: str) -> str:
    if len(FRENCH_WORDS.findall(text)) >= ENOUGH:
        return f'<span lang="fr">{text}</span>'
    return CHINESE.sub(r'<span lang="zh">\g<0></span>', FRENCH.sub(r'<span lang="fr">\g<0></span>', text))


def mark_body(app, page, template, context, doctree):
    if "body" in context:
        context["body"] = mark(context["body"])


def setup(app):
    app.connect("html-page-context", mark_body)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
