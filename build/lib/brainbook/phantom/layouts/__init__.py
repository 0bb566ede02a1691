"""The layouts of real datasets in which a phantom is written: one module each.

Every module has TR (seconds), STORIES (name -> number of its sections), SPACES, N_ECHOES, `places` (where is recorded),
`sections` (how each section is recorded), `participant_names`, `write_top` (what all participants share) and
`write_participant`.
"""
