"""Tiny language models: the classes of the real ones at a hundredth of their size, trained on the phantom's stories.

Each is trained on a corpus that no story shares, for millions of tokens; the loss on held-out stories is in its
loss.csv. The weights are part of this package, in half precision, and good for as long as settings and corpus are the
same. Others are trained when they are first asked for, and cached under `cache`/models by a key of settings, corpus and
code. On the command line, into the package:

    python -m brainbook.language_models tiny tiny-bert tiny-albert-v2 --save-pretrained
"""
