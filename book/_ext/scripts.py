"""Leave out the scripts of thebe, which every page would load twice although no page uses it."""


def without_thebe(app, page, template, context, doctree):
    said = {
        script: f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}"
        for script in context.get("script_files", [])
    }
    context["script_files"] = [script for script, words in said.items() if "thebe" not in words.lower()]


def setup(app):
    app.connect("html-page-context", without_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
