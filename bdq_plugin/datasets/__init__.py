"""Data sets, protocols and pipeline parts. Importing this package registers them with MMAction2."""

from ..video.container import VideoError
from ..video.reader import count_frames, open_video
from .clips import SubjectVideoDataset
from .conditions import CompressFrames, FlickerLight, ShakeCamera, StepBack
from .ipn import IPNDataset
from .ixmas import IXMASDataset, parse_ixmas_name
from .kth import KTHDataset, parse_kth_name, read_kth_index
from .protocols import (
    PROTOCOLS,
    Protocol,
    ProtocolAudit,
    audit_protocol,
    get_protocol,
    split_all,
    split_rows,
)
from .sbu import SBUDataset
from .stills import StillInit
from .transforms import ClipDecode, ClipInit, GreyToRGB, PackSubjectInputs, RandomShift, ToGray

__all__ = [
    'PROTOCOLS',
    'ClipDecode',
    'ClipInit',
    'CompressFrames',
    'FlickerLight',
    'GreyToRGB',
    'IPNDataset',
    'IXMASDataset',
    'KTHDataset',
    'PackSubjectInputs',
    'Protocol',
    'ProtocolAudit',
    'RandomShift',
    'SBUDataset',
    'ShakeCamera',
    'StepBack',
    'StillInit',
    'SubjectVideoDataset',
    'ToGray',
    'VideoError',
    'audit_protocol',
    'count_frames',
    'get_protocol',
    'open_video',
    'parse_ixmas_name',
    'parse_kth_name',
    'read_kth_index',
    'split_all',
    'split_rows',
]
