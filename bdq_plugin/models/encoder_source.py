"""Which encoder a config means: a preset, a class, or a file that says it all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mmaction.registry import MODELS
from mmengine.logging import print_log

from ..encoder_file import find_encoder, names_file
from ..encoders import ClipEncoder, build_encoder, load_encoder, load_state, read_trained
from ..encoders.files import CHECKPOINT_PREFIX


def build_encoder_from_cfg(cfg: str | dict[str, Any] | ClipEncoder) -> ClipEncoder:
    """Build an encoder from what a config may say.

    Args:
        cfg: one of

            - an encoder;
            - ``dict(file=FILE, ...)``: the encoder of a file (JSON, checkpoint, or a name of the
              zoo), type, arguments and numbers. Arguments beside it replace the file's. A
              ``preset`` or ``type`` beside it is what the file is expected to hold;
            - ``dict(preset=NAME, ...)`` with arguments that replace the preset's;
            - ``dict(type=CLASS, ...)`` of MODELS, your own included;
            - a text: the name of a preset or class, of the zoo, or a file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: none of these, or a file with another encoder than the preset beside it.
    """
    if isinstance(cfg, ClipEncoder):
        return cfg
    cfg = _as_dict(cfg)
    file = cfg.pop('file', None)
    if file is None:
        return _build_named(cfg)
    name = {key: cfg.pop(key) for key in ('preset', 'type') if key in cfg}
    encoder = load_encoder(file, **cfg)
    if name:
        expected = _build_named({**cfg, **name})
        expected.overrides = encoder.overrides
        expected.check_same(encoder.description(), os.fspath(file))
    return encoder


def _as_dict(cfg: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(cfg, str):
        return dict(cfg)
    return dict(file=cfg) if names_file(cfg) else dict(preset=cfg)


def _build_named(cfg: dict[str, Any]) -> ClipEncoder:
    if 'preset' in cfg:
        return build_encoder(cfg.pop('preset'), **cfg)
    if 'type' not in cfg:
        raise ValueError(
            f"encoder={cfg} names no encoder: write encoder='bdq', encoder=dict(preset='bdq', "
            "...), encoder=dict(type='BDQEncoder', ...) or encoder=dict(file='encoder.json')"
        )
    encoder = MODELS.build(cfg)
    if not isinstance(encoder, ClipEncoder):
        raise ValueError(
            f'encoder={cfg} is a {type(encoder).__name__}: an encoder is a sub-class of '
            'bdq_plugin.encoders.ClipEncoder'
        )
    return encoder


def apply_encoder_switches(preprocessor: dict[str, Any], switches: Mapping[str, Any]) -> None:
    """Carry the switches ``encoder`` and ``encoder_file`` into the config of a preprocessor.

    A file stays the encoder's source when ``encoder`` names arguments beside it. Whether what is
    named fits the file is checked when the encoder is built.

    Args:
        preprocessor: config of a ``BDQDataPreprocessor``, changed in place.
        switches: those that are given: ``encoder`` as in :func:`build_encoder_from_cfg`, and
            ``encoder_file``, a path or a name of the zoo, or None for no file.

    Raises:
        ValueError: two files.
    """
    if 'encoder' not in switches and 'encoder_file' not in switches:
        return
    configured = _as_dict(preprocessor.get('encoder') or {})
    chosen = _as_dict(switches.get('encoder') or configured)
    named, file = chosen.pop('file', None), configured.get('file')
    if 'encoder_file' in switches:
        file = switches['encoder_file']
        if 'encoder' in switches and named and file and named != file:
            raise ValueError(f'encoder names the file {named}, encoder_file names {file}: name one')
        # The file is all of the encoder; nothing is loaded over it.
        preprocessor.pop('init_cfg', None)
    elif named:
        file = named
    preprocessor['encoder'] = dict(chosen, file=os.fspath(file)) if file else chosen


def describe_by_checkpoint(model: Any, checkpoint: str | os.PathLike) -> None:
    """Let a checkpoint that is about to be loaded stand in for the encoder's file, if that is gone.

    Args:
        model: config of the model; changed in place.
        checkpoint: says its encoder itself, unless an older version wrote it; then nothing changes.
    """
    preprocessor = model.get('data_preprocessor') or {}
    encoder = preprocessor.get('encoder')
    file = _as_dict(encoder).get('file') if isinstance(encoder, str | Mapping) else None
    if file is None or not names_file(file):
        return
    try:
        find_encoder(file)
    except FileNotFoundError:
        if read_trained(checkpoint)['type'] is None:
            return
        print_log(f'{file} is gone: the encoder is that of {checkpoint}', 'current')
        preprocessor['encoder'] = dict(_as_dict(encoder), file=os.fspath(checkpoint))


def load_encoder_checkpoint(
    encoder: ClipEncoder, path: str | os.PathLike, prefix: str = CHECKPOINT_PREFIX
) -> None:
    """Load the learned numbers of an encoder, all of them or none.

    Args:
        encoder: built like the one that was trained.
        path: an ``encoder.json``, a name of the zoo, or a checkpoint (.pth) that holds the encoder
            under ``prefix``.
        prefix: ignored for JSON.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file has no encoder, or another one: both sides are shown.
    """
    document = read_trained(path, prefix)
    if document['type'] is None:
        print_log(
            f'{path} does not say what encoder its numbers belong to (an older version wrote it): '
            f'they are taken for those of {encoder.description()}',
            'current',
        )
    else:
        encoder.check_same(document, os.fspath(path))
    load_state(encoder, document['state'], os.fspath(path))
    encoder.source = os.fspath(path)
