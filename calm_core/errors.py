"""The errors that are the user's business: each message is one clear sentence a person can act on.

Every message says what is wrong, which file or value, what is allowed, and what to do next. The page and the command line
show the text of a `CalmError` as it is; any other exception is a fault of ours and stays loud.
"""


class CalmError(Exception):
    """Base of all errors that a user can understand and mend."""


class OptionError(CalmError, ValueError):
    """A setting is outside its domain."""


class AudioError(CalmError):
    """A recording can't be read or can't be used."""


class DataError(CalmError):
    """A folder, ZIP or table of clips can't be used, or too little of it can."""


class BackboneError(CalmError):
    """A backbone is unknown, can't be loaded, or doesn't have the structure that head capture needs."""


class BundleError(CalmError):
    """A saved classifier is damaged, foreign, or belongs to another backbone or prompt."""


class ProjectError(CalmError):
    """A labelling project is missing, damaged, busy or of another format version, or an act on it makes no sense."""


class StaleError(ProjectError):
    """The project was changed elsewhere since this view of it was read: look again before changing anything."""


class Cancelled(CalmError):  # noqa: N818 (not a fault)
    """The user stopped a long job; what was finished is kept."""
