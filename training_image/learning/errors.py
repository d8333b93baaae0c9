"""The error that the person who started the job can mend."""

from __future__ import annotations


class UserError(Exception):
    """The hyperparameters or the data do not allow training. One sentence: what was wrong, where, what to do."""
