"""From a folder of raw videos to an annotation file, with a report of all that did not fit.

::

    files --a pattern, a table, or a data set's own names--> clips with labels
          --each video decoded once--> rows --checked--> annotation file, report
"""

from .clips import PreparationReport, find_videos, prepare
from .folder import prepare_folder
from .ixmas import prepare_ixmas, read_ixmas_names
from .kth import prepare_kth
from .selection import extract_middle_frames, select_videos

__all__ = [
    'PreparationReport',
    'extract_middle_frames',
    'find_videos',
    'prepare',
    'prepare_folder',
    'prepare_ixmas',
    'prepare_kth',
    'read_ixmas_names',
    'select_videos',
]
