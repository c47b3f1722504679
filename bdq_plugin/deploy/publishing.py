"""From a training of stage 2 to a network file, with figures measured of that very file."""

from __future__ import annotations

import json
import os
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import DATASETS

from ..encoders.files import CHECKPOINT_PREFIX, encoder_document, read_trained
from ..engine.first_checks import read_recipe
from ..network_file import Network, network_path, write_network
from ..paths import find_recipe
from ..video.source import open_source
from .recognition import ActionRecognizer

RIGHTS = 'The numbers are free, without any condition (NOTICE). The data have terms of their own.'


def publish_network(
    work_dir: str | os.PathLike,
    name: str,
    *,
    overwrite: bool = False,
    folder: str | os.PathLike | None = None,
) -> Path:
    """Write a trained network as a file of the zoo, and what it gets right of its test clips.

    Args:
        work_dir: of a training by ``tools/train.py``, of a recipe of this package and as it stands
            there: whoever runs it again gets the same network.
        name: in the zoo: lower case letters, digits and ``_``.
        overwrite: replace a network of that name.
        folder: where to write it instead of the zoo.

    Returns:
        The file that was written.

    Raises:
        FileExistsError: the name is taken.
        FileNotFoundError: no finished training, or no test clips.
        ValueError: a config that is no recipe of this package, one that was trained with other
            options, or a checkpoint of another network or encoder.
    """
    target = network_path(name)
    target = target if folder is None else Path(folder) / target.name
    if target.exists() and not overwrite:
        raise FileExistsError(f'{target} exists: choose another name, or pass --overwrite')
    recipe, checkpoint, facts = _training(Path(work_dir))
    trained = ActionRecognizer(recipe, checkpoint)
    encoder = trained.preprocessor.encoder
    encoder.integer_form()  # refuses what no camera can run
    described = read_trained(encoder.source)['metadata'] if encoder.source else {}
    metadata = {key: described[key] for key in ('frames', 'every') if key in described}
    network = Network(
        recipe=recipe.name,
        classes=trained.labels,
        encoder=encoder_document(encoder, metadata),
        facts=dict(facts, encoder=encoder.source, rights=RIGHTS),
        state={
            key: values.numpy()
            for key, values in trained.model.state_dict().items()
            if not key.startswith(CHECKPOINT_PREFIX)
        },
    )
    with tempfile.TemporaryDirectory() as scratch:
        published = ActionRecognizer(write_network(Path(scratch) / target.name, network))
        network.facts['test'] = measure(published)
    return write_network(target, network)


def measure(recognizer: ActionRecognizer) -> dict[str, Any]:
    """What a network says of whole test clips, as ``tools/recognize.py`` reads clear video.

    Returns:
        ``top1`` in %, ``right`` of ``clips``, ``chance`` in %, and the mean number of ``windows``
        a clip.
    """
    dataset = DATASETS.build(dict(recognizer.config.test_dataloader.dataset, cache=False))
    right, windows = [], []
    for index in range(len(dataset)):
        clip = dataset.get_data_info(index)
        answers = list(recognizer.on_frames(_frames(clip)))
        label = recognizer.overall(answers).label
        right.append(label == recognizer.labels[clip['label']])
        windows.append(len(answers))
    return dict(
        top1=round(100 * float(np.mean(right)), 1),
        right=sum(right),
        clips=len(right),
        chance=round(100 / len(recognizer.labels), 1),
        windows_a_clip=round(float(np.mean(windows)), 1),
    )


def _frames(clip: dict[str, Any]) -> list[np.ndarray]:
    start, count = clip.get('start_index', 0), clip.get('num_frames')
    with open_source(clip['filename']) as source:
        chosen = islice(source, start, None if count is None else start + count)
        return [frame.pixels for frame in chosen]


def _training(folder: Path) -> tuple[Path, Path, dict[str, Any]]:
    """Recipe, checkpoint and facts of a training."""
    try:
        run = json.loads((folder / 'metrics.json').read_text())
        checkpoint = folder / Path((folder / 'last_checkpoint').read_text().strip()).name
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f'{folder} is no finished training ({error.filename} is missing): train first, '
            'python tools/train.py CONFIG'
        ) from error
    try:
        recipe = find_recipe(run['config'])
    except FileNotFoundError as error:
        raise ValueError(
            f'{error}: a network file names one of these and carries no code. Give a config of '
            'your own and its checkpoint to tools/recognize.py'
        ) from error
    cfg = read_recipe(str(recipe))
    data = cfg.test_dataloader.dataset
    as_shipped = dict(
        dataset=data.type,
        protocol=data.get('protocol'),
        fold=data.get('fold'),
        epochs=cfg.train_cfg.max_epochs,
    )
    other = {key: run[key] for key, value in as_shipped.items() if run[key] != value}
    if other:
        raise ValueError(
            f'{folder} was trained with other options than {recipe.name} has, {other}: publish a '
            'training of the recipe as it stands'
        )
    facts = {key: run[key] for key in (*as_shipped, 'seed', 'versions')}
    facts['commands'] = [
        f'python tools/train.py configs/{recipe.name} --seed {run["seed"]}',
        f'python tools/publish_network.py work_dirs/{recipe.stem} --name NAME',
    ]
    return recipe, checkpoint, facts
