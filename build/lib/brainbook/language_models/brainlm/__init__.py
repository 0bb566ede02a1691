"""BrainLM: a BERT with two segments, words and the scans of the brain that heard them.

    python -m brainbook.language_models brainlm --help

Tasks: masked language modelling with the brain visible; masked brain modelling (scans are hidden and predicted from
the text and the scans around them, mean squared error); brain-text matching (a matching pair must score higher than the
same text with another brain, and the same brain with another text, by a margin of 0.2: the source's triplet loss).
Version 1.0 is trained on the first task, 2.0 on all three.
"""
