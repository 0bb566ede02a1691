"""Tiny language models: the classes of the real ones at a hundredth of their size, trained on the phantom's stories.

They are trained once, on one corpus that no story shares, and cached under `cache`/models by a key of their settings
and of the corpus. On the command line, for those that are missing:

    python -m brainbook.language_models tiny tiny-bert tiny-albert-v2

The causal ones train for three quarters of an hour on a core, because to discover the story's hidden scene takes more
than ten million tokens. Their weights are therefore part of this package, in half precision (`pretrained`), and so good
for as long as settings and corpus are the same; `--save-pretrained` puts those of the cache there, trained if they are
missing.
"""
