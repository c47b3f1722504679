"""From a folder of raw videos to an annotation file, with a report of all that did not fit.

::

    files --a pattern, a table, or a data set's own names--> clips with labels
          --each video decoded once--> rows --checked--> annotation file, report
"""

from .attributes import prepare_lists, prepare_pa_hmdb51, prepare_vispr
from .clips import PreparationReport, find_videos, prepare
from .folder import prepare_folder
from .ipn import prepare_ipn
from .ixmas import prepare_ixmas, read_ixmas_names
from .kth import prepare_kth
from .sbu import prepare_sbu
from .selection import extract_middle_frames, select_videos

__all__ = [
    'PreparationReport',
    'extract_middle_frames',
    'find_videos',
    'prepare',
    'prepare_folder',
    'prepare_ipn',
    'prepare_ixmas',
    'prepare_kth',
    'prepare_lists',
    'prepare_pa_hmdb51',
    'prepare_sbu',
    'prepare_vispr',
    'read_ixmas_names',
    'select_videos',
]
