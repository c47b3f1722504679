"""What an audit works on, read from configs: the data set and the panel of networks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..paths import CONFIGS as RECIPES
from .controls import CONTROLS, OF_RECOGNITION
from .encodings import Sampling
from .ensemble import ENSEMBLE

CONFIGS = RECIPES / 'audit'


@dataclass(frozen=True)
class Data:
    """A data set for the audit.

    Attributes:
        name: of its config.
        dataset: config of the data set, without protocol, split and fold.
        mean, std: as ``BDQDataPreprocessor`` takes them.
        sampling: which frames are encoded.
        annotation: digest of the annotation, where the name alone does not say which clips these
            are.
    """

    name: str
    dataset: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sampling: Sampling = field(default_factory=Sampling)
    annotation: str | None = None

    def identity(self) -> dict[str, Any]:
        """What makes it this data, wherever the files lie."""
        places = ('data_root', 'ann_file', 'data_prefix')
        dataset = {k: v for k, v in self.dataset.items() if k not in places}
        # Results from before there were these say nothing of them.
        later = (('shift', 0), ('every', 1))
        sampling = {k: v for k, v in asdict(self.sampling).items() if (k, v) not in later}
        same = dict(dataset=dataset, mean=self.mean, std=self.std, sampling=sampling)
        return same if self.annotation is None else dict(same, annotation=self.annotation)


@dataclass(frozen=True)
class Panel:
    """Attackers to train on an encoder's output.

    Attributes:
        name: of its config.
        networks: config of each, by name.
        controls: names of :data:`~bdq_plugin.evaluation.controls.CONTROLS` to run beside them.
        control_from: share of the test clips that an attacker must name on clear video to be a
            witness of what an encoder hides.
    """

    name: str
    networks: dict[str, dict[str, Any]]
    controls: tuple[str, ...] = ()
    control_from: float = 0.75

    def __post_init__(self) -> None:
        targets = [network.get('target', 'identity') for network in self.networks.values()]
        if 'identity' not in targets:
            raise ValueError(f"panel '{self.name}' has no attacker: add one with target='identity'")
        if ENSEMBLE in self.networks:
            raise ValueError(f"panel '{self.name}': '{ENSEMBLE}' is all of the others together")
        if not 0 < self.control_from <= 1:
            raise ValueError(f'control_from is a share in (0, 1], got {self.control_from}')
        unknown = sorted(set(self.controls) - set(CONTROLS))
        if unknown:
            raise ValueError(
                f"panel '{self.name}': no control {', '.join(unknown)}; choose from {CONTROLS}"
            )
        if set(self.controls) & set(OF_RECOGNITION) and 'action' not in targets:
            raise ValueError(
                f"panel '{self.name}': the controls {', '.join(OF_RECOGNITION)} need a network for "
                "the action: add one with target='action', or leave them out"
            )


def load_data(name: str, data_root: str | None = None, ann_file: str | None = None) -> Data:
    """Read ``configs/audit/data/NAME.py``, or a config file by its path.

    Args:
        name: of the config, or its path.
        data_root: folder of the videos; by default the config's.
        ann_file: annotation file; by default the config's.
    """
    config, stem = _read_config(name, CONFIGS / 'data', 'data set', ('dataset', 'mean', 'std'))
    dataset = config.dataset.to_dict()
    if 'conditions' in config:
        dataset['pipeline'] = _under(list(config.conditions), dataset['pipeline'], stem)
    if data_root is not None:
        dataset['data_prefix'] = dict(video=data_root)
    if ann_file is not None:
        dataset['ann_file'] = ann_file
    sampling = dict(config.get('sampling') or {})
    try:
        return Data(
            stem,
            dataset,
            tuple(config.mean),
            tuple(config.std),
            Sampling(**sampling),
        )
    except TypeError as error:
        raise ValueError(f'{name}: sampling={sampling}: {error}') from error


def at_rate(data: Data, every: int | None) -> Data:
    """The same clips, of which a camera encodes each n-th frame; None for what the data say.

    Raises:
        ValueError: no such n, or the data say themselves that not every frame is encoded.
    """
    said = data.sampling
    if every in (None, said.every):
        return data
    if said != replace(said, kind='consecutive', every=1):
        raise ValueError(
            f"the data '{data.name}' say which frames are encoded (kind='{said.kind}', "
            f'every={said.every}), and not each of {every}: take other data, or --every '
            f'{said.every}'
        )
    return replace(
        data, name=f'{data.name}_every{every}', sampling=replace(data.sampling, every=every)
    )


def _under(conditions: list[Any], pipeline: list[dict[str, Any]], stem: str) -> list[Any]:
    """The pipeline with these transforms (:mod:`bdq_plugin.datasets.conditions`) on its frames."""
    for place, part in enumerate(pipeline, 1):
        if part['type'] == 'ClipDecode':
            return pipeline[:place] + [dict(each) for each in conditions] + pipeline[place:]
    raise ValueError(f'{stem}: conditions stand behind ClipDecode, which its pipeline lacks')


def load_panel(name: str, overrides: dict[str, Any] | None = None) -> Panel:
    """Read ``configs/audit/NAME.py``, or a config file by its path.

    Args:
        name: of the config, or its path.
        overrides: entries to replace, such as ``{'panel.frame.recipe.max_epochs': 30}``.
    """
    config, stem = _read_config(name, CONFIGS, 'panel', ('panel',))
    if overrides:
        _check_overrides(overrides, config)
        config.merge_from_dict(overrides)
    networks = {k: v.to_dict() for k, v in config.panel.items() if v is not None}
    return Panel(
        stem, networks, tuple(config.get('controls', ())), config.get('control_from', 0.75)
    )


def _check_overrides(overrides: dict[str, Any], config: Config) -> None:
    for key in overrides:
        top, *path = key.split('.')
        if top not in (*config, 'learned_from') or (
            top == 'panel' and len(path) > 1 and path[0] not in config.panel
        ):
            raise ValueError(
                f'{key}: the panel has no such entry; it has {", ".join(config)} and the networks '
                f'{", ".join(config.panel)}'
            )


def _read_config(name: str, folder: Path, what: str, needed: tuple[str, ...]) -> tuple[Config, str]:
    path = Path(name) if name.endswith('.py') else folder / f'{name}.py'
    known = ', '.join(sorted(p.stem for p in folder.glob('*.py')))
    if not path.is_file():
        raise FileNotFoundError(f"no {what} config '{name}': choose one of {known}, or give a path")
    config = Config.fromfile(str(path))
    missing = [key for key in needed if key not in config]
    if missing:
        raise ValueError(
            f'{path} is no {what} config: it lacks {", ".join(missing)}; choose one of {known}'
        )
    return config, path.stem
