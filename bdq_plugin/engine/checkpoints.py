"""Checkpoints that are whole: written to a temporary name and renamed, checked before a resume."""

from __future__ import annotations

import logging
import os
import re
import uuid
import zipfile
from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from ..safe_load import UntrustedCheckpoint, load_checkpoint

_NAME = re.compile(r'(?:epoch|iter)_(\d+)\.pth')
_TEMPORARY = '.*.pth.*.tmp'
STARTED_FILE = '.started'


class AtomicBackend(LocalBackend):
    """MMEngine's local files, written whole or not at all.

    ``CheckpointHook`` writes in place, over the name that a resume will read: a run that is killed
    while it writes leaves half a checkpoint. Under this back end the name appears only when every
    byte is on the disk.

    Example:
        >>> checkpoint = dict(type='CheckpointHook', backend_args=dict(backend='atomic'))
    """

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write bytes to a temporary name in the same folder and rename it."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}.tmp')
        try:
            with open(temporary, 'wb') as file:
                file.write(obj)
                file.flush()
                # Or a loss of power could keep the new name and lose what it names.
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def put_text(self, obj: str, filepath: str | os.PathLike, encoding: str = 'utf-8') -> None:
        """Write text as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)


# With force, because the package may be imported twice under `custom_imports`.
register_backend('atomic', AtomicBackend, force=True)


def step_of(path: str | os.PathLike) -> int | None:
    """The epoch or iteration in a checkpoint's name, or None for another file's."""
    match = _NAME.fullmatch(Path(path).name)
    return int(match[1]) if match else None


def checkpoints_of(work_dir: str | os.PathLike) -> list[Path]:
    """A run's checkpoints, the one to resume from first, whole or not.

    That is the one which MMEngine's ``last_checkpoint`` names, then the others, the last written
    first: a number in a name tells nothing where an older run has used the folder.
    """
    folder = Path(work_dir)
    found = [path for path in folder.glob('*.pth') if step_of(path) is not None]
    found.sort(key=lambda path: (path.stat().st_mtime_ns, step_of(path)), reverse=True)
    try:
        # The folder may have been moved since: the name counts, not the path.
        last = folder / Path((folder / 'last_checkpoint').read_text().strip()).name
    except (FileNotFoundError, UnicodeDecodeError):
        return found
    if last in found:
        found.remove(last)
        found.insert(0, last)
    return found


def damage_of(path: str | os.PathLike) -> str | None:
    """What is wrong with a checkpoint's file, or None where it loads and every checksum is right.

    No code of the file is run. PyTorch alone would read flipped bits without a word: it leaves the
    checksums out.

    Raises:
        UntrustedCheckpoint: it asks for code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
        if member is None:
            load_checkpoint(path)
    except UntrustedCheckpoint:
        raise
    except Exception as error:  # a damaged header can lead the reader anywhere
        return str(error) or type(error).__name__
    return None if member is None else f'wrong checksum in {member}'


def continue_after_restart(cfg: Config) -> None:
    """Let a run that torchrun has started again (``--max-restarts``) go on where it was.

    Only from what it has written since torchrun's first start: the work directory may hold an older
    run's checkpoints. Where it has written none, it begins as it did at first.

    Args:
        cfg: ``resume`` and ``load_from`` are set where this is a restart. The first start is
            remembered in ``work_dir/.started``.
    """
    started = Path(cfg.work_dir, STARTED_FILE)
    restarts = os.environ.get('TORCHELASTIC_RESTART_COUNT')
    if restarts == '0' and os.environ.get('RANK') == '0':
        started.touch()
    if restarts in (None, '0'):
        return
    since = started.stat().st_mtime_ns
    for path in checkpoints_of(cfg.work_dir):
        if path.stat().st_mtime_ns >= since and damage_of(path) is None:
            cfg.resume, cfg.load_from = True, str(path)
            return


def choose_checkpoint(cfg: Config) -> None:
    """Let ``--resume`` continue from the last checkpoint that is whole.

    Damaged ones are named in a warning. A checkpoint that was asked for by name is never replaced
    by another.

    Args:
        cfg: where ``cfg.resume`` is ``'auto'``, or set without ``load_from``, it names the
            checkpoint afterwards; where the work directory has none, the run begins as the config
            says, from its own ``load_from`` where it has one.

    Raises:
        ValueError: the checkpoint that was asked for is damaged, or all of a run's are.
    """
    if not cfg.get('resume'):
        return
    if cfg.get('load_from') and cfg.resume != 'auto':
        damage = damage_of(cfg.load_from) if os.path.isfile(cfg.load_from) else None
        if damage:
            raise ValueError(
                f'{cfg.load_from} is damaged ({damage}); --resume without a name continues from '
                'the last whole checkpoint of the work directory'
            )
        return
    candidates = checkpoints_of(cfg.work_dir)
    for path in candidates:
        damage = damage_of(path)
        if damage is None:
            cfg.resume, cfg.load_from = True, str(path)
            return
        print_log(
            f'{path} is damaged ({damage}); trying the checkpoint before it',
            logger='current',
            level=logging.WARNING,
        )
    if candidates:
        raise ValueError(
            f'all {len(candidates)} checkpoints of {cfg.work_dir} are damaged; remove them to '
            'train from the beginning'
        )
    cfg.resume = False


def remove_leftovers(work_dir: str | os.PathLike) -> None:
    """Remove what a killed run was writing; only for the holder of the work directory's lock."""
    for path in Path(work_dir).glob(_TEMPORARY):
        path.unlink(missing_ok=True)
