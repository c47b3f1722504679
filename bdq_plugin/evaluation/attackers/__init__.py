"""The panel: who tries to recognise people in encoded clips, each a class and a line of config."""

from .base import ATTACKERS, Answer, Attacker, Fit
from .inversion import InversionAttacker
from .networks import ClipAttacker, FrameAttacker, LinearProbe, NetworkAttacker
from .pretrained import ImageNetTemplateAttacker, PretrainedAttacker
from .sequences import RecurrentAttacker, SequenceAttacker, TransformerAttacker
from .templates import CellAttacker, TemplateAttacker
from .texture import TextureAttacker

__all__ = [
    'ATTACKERS',
    'Answer',
    'Attacker',
    'CellAttacker',
    'ClipAttacker',
    'Fit',
    'FrameAttacker',
    'ImageNetTemplateAttacker',
    'InversionAttacker',
    'LinearProbe',
    'NetworkAttacker',
    'PretrainedAttacker',
    'RecurrentAttacker',
    'SequenceAttacker',
    'TemplateAttacker',
    'TextureAttacker',
    'TransformerAttacker',
]
