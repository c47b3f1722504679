"""Events of answers that flicker, and their way to a broker and back."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bdq_plugin.deploy.events import Event, EventDetector
from bdq_plugin.deploy.mqtt import MqttPublisher
from tests.test_deploy.test_recognize import CLASSES, save_stage_two, stage_two
from tools import recognize

LABELS = ['rest', 'fall', 'walk']


def run(detector: EventDetector, falls: list[float], window: float = 1.0) -> list[tuple]:
    """Events of a stream of windows, one a second, with these probabilities of a fall."""
    events = []
    for second, fall in enumerate(falls):
        events += detector.update([1 - fall, fall, 0.0], float(second), second + window)
    events += detector.finish()
    return [(event.kind, event.label, event.start, event.end) for event in events]


def test_a_label_that_flickers_is_one_event():
    flickering = [0.1, 0.7, 0.45, 0.65, 0.42, 0.8, 0.1, 0.1]
    options = dict(threshold=0.6, ignore=['rest'])
    # Without hysteresis each top is an event of its own.
    bare = run(EventDetector(LABELS, release=0.6, **options), flickering)
    assert [kind for kind, *_ in bare] == ['begin', 'end'] * 3
    steady = run(EventDetector(LABELS, release=0.4, **options), flickering)
    assert steady == [('begin', 'fall', 1.0, 2.0), ('end', 'fall', 1.0, 6.0)]


def test_what_is_too_short_is_no_event():
    options = dict(threshold=0.6, ignore=['rest'])
    once = [0.1, 0.9, 0.1, 0.1, 0.1]
    assert run(EventDetector(LABELS, min_duration=0.5, **options), once), 'a window is as long'
    assert run(EventDetector(LABELS, min_duration=2.0, **options), once) == []
    thrice = [0.1, 0.9, 0.9, 0.9, 0.1]
    detector = EventDetector(LABELS, min_duration=2.0, **options)
    assert run(detector, thrice) == [('begin', 'fall', 1.0, 3.0), ('end', 'fall', 1.0, 4.0)]


def test_smoothing_averages_windows():
    options = dict(threshold=0.6, ignore=['rest'])
    once = [0.0, 0.9, 0.0, 0.0]
    assert run(EventDetector(LABELS, **options), once)
    assert run(EventDetector(LABELS, smoothing=3, **options), once) == []
    detector = EventDetector(LABELS, smoothing=2, **options)
    detector.update([0.5, 0.5, 0], 0, 1)
    (event,) = detector.update([0.1, 0.9, 0], 1, 2)
    assert event == Event('begin', 'fall', pytest.approx(0.7), 1, 2)


def test_another_action_ends_the_one_before():
    detector = EventDetector(LABELS, threshold=0.5, ignore=['rest'])
    events = [*detector.update([0, 0.9, 0.1], 0, 1), *detector.update([0, 0.45, 0.55], 1, 2)]
    assert [(e.kind, e.label) for e in events] == [
        ('begin', 'fall'),
        ('end', 'fall'),
        ('begin', 'walk'),
    ]
    assert detector.current.label == 'walk'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(threshold=0), 'probability over 0'),
        (dict(threshold=1.5), 'probability over 0'),
        (dict(threshold=0.5, release=0.6), 'from 0 to the threshold of 0.5'),
        (dict(smoothing=0), '1 window or more'),
        (dict(min_duration=-1), 'not negative'),
        (dict(ignore=['falling']), "no label 'falling'"),
    ],
)
def test_numbers_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        EventDetector(LABELS, **options)


# ---------------------------------------------------------------- the tool
@pytest.fixture
def coded(tmp_path, encoder_file) -> list[str]:
    """A config, a checkpoint and codes that it answers for."""
    from bdq_plugin.deploy import PackedWriter, StreamingEncoder, encode_clip
    from tests.test_deploy.conftest import moving_frames

    form = StreamingEncoder(encoder_file).form
    codes = encode_clip(form, moving_frames(120, 48, 64)[..., 0])
    with PackedWriter(tmp_path / 'x.bdq', form, codes.shape[1:]) as writer:
        for index, frame in enumerate(codes):
            writer.write(frame, 40 * index)
    checkpoint = save_stage_two(tmp_path / 'epoch_1.pth', stage_two())
    return [str(checkpoint.with_suffix('.py')), str(checkpoint), str(tmp_path / 'x.bdq')]


def test_json_of_windows_and_of_events(coded, capsys):
    assert recognize.main(coded) == 0
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert recognize.main([*coded, '--json']) == 0
    *answers, mean = map(json.loads, capsys.readouterr().out.splitlines())
    assert [[a['label'], f'{a["confidence"]:.2f}'] for a in answers] == [w[4:6] for w in words[:-1]]
    assert [f'{a["start"]:.2f}' for a in answers] == [w[0] for w in words[:-1]]
    assert answers[0]['end'] == 15 * 0.04 and mean['windows'] == len(answers) > 5
    assert mean['start'] == 0 and mean['end'] == answers[-1]['end']
    # Every window begins or carries on an event: they cover the stream, and do not overlap.
    assert recognize.main([*coded, '--json', '--threshold', '0.1', '--release', '0.1']) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e['event'] for e in events] == ['begin', 'end'] * (len(events) // 2)
    assert events[0]['label'] == answers[0]['label'] and events[-1]['end'] == mean['end']
    assert all(set(e) == {'event', 'label', 'confidence', 'start', 'end'} for e in events)
    assert recognize.main([*coded, '--threshold', '0.1']) == 0
    assert 'begin' in capsys.readouterr().out
    # What is no event is not told, and what only events have is refused without them.
    assert recognize.main([*coded, '--threshold', '0.1', '--ignore', *CLASSES]) == 0
    assert capsys.readouterr().out == ''
    with pytest.raises(SystemExit):
        recognize.main([*coded, '--smoothing', '3'])
    assert '--smoothing is of events' in capsys.readouterr().err
    assert recognize.main([*coded, '--threshold', '7']) == 1
    assert 'error: a threshold is a probability' in capsys.readouterr().err


# ---------------------------------------------------------------- a broker
mosquitto = shutil.which('mosquitto') or shutil.which('mosquitto', path='/usr/sbin')
try:
    import paho.mqtt.client as mqtt
except ModuleNotFoundError:
    mqtt = None
needs_broker = pytest.mark.skipif(
    not (mosquitto and mqtt), reason='needs a mosquitto broker and the package paho-mqtt'
)


class Broker:
    """Mosquitto on this machine, which comes and goes, and one who listens to all topics.

    The broker remembers who listens while it is gone, so that nothing is missed when it returns.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self._config, self._memory = folder / 'mosquitto.conf', folder / 'mosquitto.db'
        self._config.write_text(
            f'listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n'
            f'persistence true\npersistence_location {folder}/\n'
        )
        self.messages: list[tuple[str, str, bool]] = []
        self._changed, self._listens = threading.Condition(), threading.Event()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id='listener', clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe('#', qos=1)
        self._client.on_subscribe = lambda *_: self._listens.set()
        self._client.on_message = self._on_message
        self._client.connect_async('127.0.0.1', self.port)
        self.start()
        self._client.loop_start()
        assert self._listens.wait(60)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [mosquitto, '-c', self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> None:
        """As a machine that is shut down."""
        self._process.terminate()
        self._process.wait()

    def lose_all(self) -> None:
        """As a machine whose disk is new."""
        self._process.kill()
        self._process.wait()
        self._memory.unlink(missing_ok=True)

    def close(self) -> None:
        self._client.loop_stop()
        self.lose_all()

    def _on_message(self, client, data, message) -> None:
        with self._changed:
            self.messages.append((message.topic, message.payload.decode(), message.retain))
            self._changed.notify_all()

    def wait_for(self, topic: str, wanted: Callable[[str], bool]) -> str:
        """The first message of a topic that is as wanted."""

        def found() -> str | None:
            texts = [text for name, text, _ in self.messages if name == topic]
            return next(filter(wanted, texts), None)

        with self._changed:
            assert self._changed.wait_for(found, 60), f'{topic}: {self.messages}'
            return found()


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.close()


@needs_broker
def test_events_reach_home_assistant(broker, coded, capsys):
    url = f'mqtt://127.0.0.1:{broker.port}/bdq/hall'
    assert recognize.main([*coded, '--json', '--threshold', '0.1', '--mqtt', url]) == 0
    said = capsys.readouterr()
    told = [json.loads(line) for line in said.out.splitlines()]
    broker.wait_for('bdq/hall/available', lambda text: text == 'offline')
    topics = {topic for topic, *_ in broker.messages}
    assert topics == {
        'homeassistant/sensor/bdq_hall/config',
        'bdq/hall',
        'bdq/hall/events',
        'bdq/hall/available',
    }
    config = json.loads(broker.wait_for('homeassistant/sensor/bdq_hall/config', bool))
    assert config['state_topic'] == 'bdq/hall' and config['options'] == ['none', *CLASSES]
    assert config['availability_topic'] == 'bdq/hall/available' and config['unique_id']
    sent = [json.loads(text) for topic, text, _ in broker.messages if topic == 'bdq/hall/events']
    assert sent == told and told[0]['event'] == 'begin' and told[-1]['event'] == 'end'
    states = [
        json.loads(text)['label'] for topic, text, _ in broker.messages if topic == 'bdq/hall'
    ]
    assert states[-1] == 'none' and told[0]['label'] in states
    assert set(states) <= set(config['options'])
    assert 'connected to the MQTT broker' in said.err


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@needs_broker
def test_a_broker_that_is_gone_and_comes_back(broker):
    said = []
    events = [
        Event(kind, label, 0.9, float(second), second + 1.0)
        for second, (kind, label) in enumerate(
            [('begin', 'fall'), ('end', 'fall'), ('begin', 'walk'), ('end', 'walk')]
        )
    ]
    url = f'mqtt://127.0.0.1:{broker.port}/hall'
    with MqttPublisher(url, LABELS, say=said.append) as publisher:
        broker.wait_for('hall/available', lambda text: text == 'online')
        publisher.publish(events[0])
        broker.wait_for('hall', lambda text: '"fall"' in text)
        broker.stop()
        wait_until(lambda: not publisher.connected)
        for event in events[1:]:
            publisher.publish(event)  # waits for nobody
        broker.messages.clear()
        broker.start()
        # All that happened meanwhile, in order.
        broker.wait_for('hall/events', lambda text: '"event": "end", "label": "walk"' in text)
        broker.wait_for('hall', lambda text: json.loads(text)['label'] == 'none')
        broker.wait_for('hall/available', lambda text: text == 'online')
        # One that has forgotten all is told anew.
        publisher.publish(events[0])
        broker.wait_for('hall', lambda text: json.loads(text)['label'] == 'fall')
        heard = list(broker.messages)
        broker.lose_all()
        wait_until(lambda: not publisher.connected)
        broker.messages.clear()
        broker.start()
        broker.wait_for('homeassistant/sensor/hall/config', bool)
        broker.wait_for('hall/available', lambda text: text == 'online')
        broker.wait_for('hall', lambda text: json.loads(text)['label'] == 'fall')
    texts = [json.loads(text) for topic, text, _ in heard if topic == 'hall/events']
    order = [(text['event'], text['label']) for text in texts]
    # What the broker had told others, but not yet acknowledged, comes again: at least once (QoS 1).
    again = order[:1] == [('begin', 'fall')]
    assert order[again : again + 3] == [('end', 'fall'), ('begin', 'walk'), ('end', 'walk')]
    broker.wait_for('hall/available', lambda text: text == 'offline')
    assert sum('is gone' in text for text in said) == 2


@needs_broker
def test_a_process_that_dies_is_offline(broker, tmp_path):
    """The broker itself says so: nobody else can."""
    program = (
        'import os, sys, time\n'
        'from bdq_plugin.deploy.mqtt import MqttPublisher\n'
        'publisher = MqttPublisher(sys.argv[1], ["fall"])\n'
        'sys.stdin.read(1)\n'
        'os._exit(1)\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', program, f'mqtt://127.0.0.1:{broker.port}/hall'],
        stdin=subprocess.PIPE,
    )
    broker.wait_for('hall/available', lambda text: text == 'online')
    process.communicate(b'x')
    broker.wait_for('hall/available', lambda text: text == 'offline')


@needs_broker
def test_a_broker_that_never_was_there(coded, capsys):
    """The answers come all the same, and the tool ends."""
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        url = f'mqtt://me:secret@127.0.0.1:{closed.getsockname()[1]}/hall'
        assert recognize.main([*coded, '--json', '--threshold', '0.1', '--mqtt', url]) == 0
    printed = capsys.readouterr()
    events = printed.out.splitlines()
    assert len(events) >= 2 and 'does not answer' in printed.err
    assert f'{len(events)} events never reached the MQTT broker' in printed.err
    assert 'secret' not in printed.err


@pytest.mark.parametrize(
    'url', ['http://host/x', 'mqtt://host', 'mqtt://host/', 'host/x', 'mqtt://host/a/#']
)
def test_addresses_that_name_no_topic(url):
    with pytest.raises(ValueError, match='topic'):
        MqttPublisher(url, LABELS)


def test_numbers_of_arrays_are_written_as_json():
    detector = EventDetector(LABELS, threshold=0.5)
    (event,) = detector.update(np.array([0.1, 0.8, 0.1], np.float32), 0, 0.64)
    from bdq_plugin.deploy.mqtt import as_json

    assert json.loads(json.dumps(as_json(event)))['confidence'] == 0.8
