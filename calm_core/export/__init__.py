"""Labels in the formats of other tools, and back: CSV, Hugging Face audiofolder, Audacity, Raven, Label Studio.

Every writer has a reader, and what was written here is read back as the same clips, labels and states. Audacity and Raven know places in
a recording and labels, nothing else, so only these come back from them. Takes clips and opinions as they are; knows no model, no torch.
"""

from .files import require_new_folder
from .label_studio import read_label_studio, write_label_studio
from .labels_table import is_our_table, match_labels, read_table, write_audiofolder, write_csv
from .places import (
    Region,
    audacity,
    audacity_track,
    match_regions,
    raven_table,
    read_audacity,
    read_raven,
    recording_of_track,
    write_audacity,
    write_raven,
)
from .rows import Opinion, has_place

__all__ = [
    "Opinion",
    "Region",
    "audacity",
    "audacity_track",
    "has_place",
    "is_our_table",
    "match_labels",
    "match_regions",
    "raven_table",
    "read_audacity",
    "read_label_studio",
    "read_raven",
    "read_table",
    "recording_of_track",
    "require_new_folder",
    "write_audacity",
    "write_audiofolder",
    "write_csv",
    "write_label_studio",
    "write_raven",
]
