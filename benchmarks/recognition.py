"""Actions told from packed codes alone, on the test clips that no network was trained on.

    python -m benchmarks.recognition STREAM [SPREAD]

STREAM is the work directory of a training of configs/bdq_ixmas_cpu_stream_action.py, which reads
consecutive frames. SPREAD is one of configs/bdq_ixmas_cpu_action.py on the same encoder, which
spreads 16 frames over a clip. Each test clip is encoded to a ``.bdq`` file as
tools/encode_video.py does; tools/recognize.py's recognizer reads that file, and, to compare, the
clear video.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import DATASETS
from mmengine.config import Config

from bdq_plugin.deploy import PackedReader, StreamingEncoder
from bdq_plugin.deploy.encoding import encode_stream
from bdq_plugin.deploy.recognition import ActionRecognizer, Recognition
from bdq_plugin.video.source import VideoSource

from .harness import rows_to_table, write_result

RESULTS = Path(__file__).resolve().parents[1] / 'results' / 'camera' / 'recognition.json'
# Frames apart so that 16 of them span the median clip, of 72 frames.
EVERY = 5


class Trained:
    """A work directory: its config, its last checkpoint, and the test clips of its data set."""

    def __init__(self, folder: Path) -> None:
        checkpoint = folder / Path((folder / 'last_checkpoint').read_text().strip()).name
        (config,) = folder.glob('*.py')
        self.config, self.checkpoint = Config.fromfile(config), checkpoint
        self.recognizer = ActionRecognizer(self.config, checkpoint)
        self.encoder = StreamingEncoder(self.recognizer.preprocessor.encoder.integer_form())
        dataset = DATASETS.build(self.config.test_dataloader.dataset)
        self.clips = [dataset.get_data_info(i) for i in range(len(dataset))]

    def on_codes(self, video: str, every: int = 1) -> tuple[Recognition, int, float]:
        """The answer from the file of codes, its windows, and its size in kbit/s."""
        recognizer = self.recognizer
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'clip.bdq'
            with VideoSource(video, grey=True) as source:
                summary = encode_stream(source, self.encoder, [path], every=every)
            reader = PackedReader(path)
            answers = list(recognizer.on_codes(reader.form, reader))
            rate = 8 * path.stat().st_size / summary.seconds / 1000
        return recognizer.overall(answers), len(answers), rate

    def on_frames(self, video: str) -> tuple[Recognition, int, None]:
        """The answer from the clear video, and its windows."""
        with VideoSource(video) as source:
            answers = list(self.recognizer.on_frames(frame.pixels for frame in source))
        return self.recognizer.overall(answers), len(answers), None


def measure(
    trained: Trained, reads: str, ask: Callable[[str], tuple[Recognition, int, float | None]]
) -> tuple[dict[str, Any], list[str]]:
    """A row of results, and the label of each clip."""
    answers = [ask(clip['filename']) for clip in trained.clips]
    labels = [answer.label for answer, _, _ in answers]
    names = trained.recognizer.labels
    right = [
        names[clip['label']] == label for clip, label in zip(trained.clips, labels, strict=True)
    ]
    rates = [rate for _, _, rate in answers if rate is not None]
    row = {
        'config': Path(trained.config.filename).name,
        'reads': reads,
        'windows_a_clip': round(mean(count for _, count, _ in answers), 1),
        'codes_kbit_s': round(mean(rates), 1) if rates else None,
        'clips': len(right),
        'top1': round(100 * mean(right), 1),
    }
    print(row, flush=True)
    return row, labels


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('stream', type=Path)
    parser.add_argument('spread', type=Path, nargs='?')
    args = parser.parse_args()
    stream = Trained(args.stream)
    codes, on_codes = measure(stream, '.bdq, each frame', stream.on_codes)
    clear, on_frames = measure(stream, 'clear video', stream.on_frames)
    rows = [codes, clear]
    same = sum(a == b for a, b in zip(on_codes, on_frames, strict=True))
    if args.spread is not None:
        spread = Trained(args.spread)
        rows += [
            measure(spread, 'clear video', spread.on_frames)[0],
            measure(spread, '.bdq, each frame', spread.on_codes)[0],
            measure(spread, f'.bdq, --every {EVERY}', lambda v: spread.on_codes(v, EVERY))[0],
        ]
    dataset = stream.config.test_dataloader.dataset
    results = {
        'command': 'python -m benchmarks.recognition STREAM SPREAD',
        'data': dataset.type,
        'protocol': dataset.protocol,
        'fold': dataset.fold,
        'epochs': stream.config.train_cfg.max_epochs,
        'encoder': Path(stream.config.model.data_preprocessor.init_cfg.checkpoint).name,
        'torch': torch.__version__,
        'same_label_from_codes_and_clear_video': same,
        'rows': rows,
    }
    print(write_result('recognition', results, RESULTS.parent))


def table(document: dict[str, Any]) -> str:
    """Accuracies in Markdown."""
    rows = [
        [row['config'], row['reads'], row['windows_a_clip'], row['codes_kbit_s'] or '', row['top1']]
        for row in document['rows']
    ]
    clips = document['rows'][0]['clips']
    note = (
        f'{clips} test clips of {document["data"]}, protocol {document["protocol"]}, fold '
        f'{document["fold"]}; encoder {document["encoder"]}; {document["epochs"]} epochs, one run. '
        f'From codes and from clear video the first recipe gives the same label for '
        f'{document["same_label_from_codes_and_clear_video"]} clips.'
    )
    head = ['recipe', 'reads', 'windows a clip', 'kbit/s', 'top-1, %']
    return f'{rows_to_table(head, rows)}\n\n{note}'


if __name__ == '__main__':
    main()
