"""Events to an MQTT broker, in the form that Home Assistant discovers by itself (paho-mqtt)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from .events import Event

# The state while nothing goes on.
NOTHING = 'none'
# Messages that wait for a broker that is gone; the newest state is what counts in the end.
_WAITING = 1000
# Seconds between two tries to reach the broker: doubled from the first to the second.
_FIRST_WAIT, _LONGEST_WAIT = 1, 60


class MqttPublisher:
    """Publish the action that is going on as a sensor.

    Topics, of ``mqtt://host/TOPIC``::

        homeassistant/sensor/ID/config   what Home Assistant needs to know, retained
        TOPIC                            JSON: event, label ('none' between actions), confidence,
                                         start, end; retained: who comes late knows the state
        TOPIC/events                     JSON of each event, begin and end
        TOPIC/available                  'online', or 'offline' by the broker itself when this
                                         process is gone; retained

    A broker that is gone is looked for again by itself; what is published meanwhile waits, in
    memory, and is sent in order when it has come back.

    Args:
        url: ``mqtt://[user:password@]host[:port]/topic``, or ``mqtts://`` for TLS.
        labels: what the sensor's state can be, beside ``'none'``.
        say: is told in words when the broker is reached, refuses or is gone.
        discovery: first part of the topic at which Home Assistant looks for devices.

    Raises:
        ValueError: the address is no such one, or names no topic.
        ModuleNotFoundError: without paho-mqtt.
    """

    def __init__(
        self,
        url: str,
        labels: Sequence[str],
        *,
        say: Callable[[str], None] = lambda text: None,
        discovery: str = 'homeassistant',
    ) -> None:
        address = urlsplit(url)
        self.topic = address.path.strip('/')
        whole = address.hostname and self.topic and not set('?#') & set(url)
        if address.scheme not in ('mqtt', 'mqtts') or not whole:
            raise ValueError(
                f'{_public(url)} is no address of a topic: name one such as mqtt://host/bdq/hall'
            )
        if '+' in self.topic:
            raise ValueError(f'{self.topic}: a topic to publish to has no +')
        try:
            from paho.mqtt import client as mqtt
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                'publishing by MQTT needs paho-mqtt: pip install paho-mqtt'
            ) from error
        secure = address.scheme == 'mqtts'
        port = address.port or (8883 if secure else 1883)
        self._broker, self._say = f'{address.hostname}:{port}', say
        self._identity = re.sub(r'[^a-zA-Z0-9_-]', '_', self.topic)
        self._config_topic = f'{discovery}/sensor/{self._identity}/config'
        self._labels, self._connected = [NOTHING, *labels], False
        self._state = json.dumps(dict(label=NOTHING))
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if address.username:
            self._client.username_pw_set(
                unquote(address.username), unquote(address.password or '') or None
            )
        if secure:
            self._client.tls_set()
        self._client.will_set(f'{self.topic}/available', 'offline', qos=1, retain=True)
        self._client.max_queued_messages_set(_WAITING)
        self._client.reconnect_delay_set(_FIRST_WAIT, _LONGEST_WAIT)
        # Numbers of messages of events, and of all that the broker has acknowledged.
        self._told: set[int] = set()
        self._sent: set[int] = set()
        self._client.on_publish = lambda client, data, mid, *_: self._sent.add(mid)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.connect_async(address.hostname, port)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection that is in use."""
        return self._connected

    def publish(self, event: Event) -> None:
        """Tell of an event; never waits for the broker."""
        text = json.dumps(as_json(event))
        going_on = event.kind == 'begin'
        self._state = text if going_on else json.dumps(dict(as_json(event), label=NOTHING))
        self._told.add(self._client.publish(f'{self.topic}/events', text, qos=1).mid)
        if self._connected:  # else the newest state is told when the broker is reached
            self._client.publish(self.topic, self._state, qos=1, retain=True)

    def close(self) -> None:
        """Say goodbye: offline, once what waits has been sent, or at once without a broker."""
        if self._connected:
            last = self._client.publish(f'{self.topic}/available', 'offline', qos=1, retain=True)
            with suppress(RuntimeError, ValueError):  # gone in this very moment
                last.wait_for_publish(5)
        self._client.disconnect()
        self._client.loop_stop()
        if lost := len(self._told - self._sent):
            self._say(f'{lost} events never reached the MQTT broker {self._broker}')

    def __enter__(self) -> MqttPublisher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def config(self) -> dict[str, Any]:
        """What Home Assistant is told: a sensor whose state is the label."""
        return dict(
            name='action',
            unique_id=self._identity,
            state_topic=self.topic,
            value_template='{{ value_json.label }}',
            json_attributes_topic=self.topic,
            availability_topic=f'{self.topic}/available',
            device_class='enum',
            options=self._labels,
            icon='mdi:human-greeting',
            device=dict(identifiers=[self._identity], name=self.topic, manufacturer='bdq_plugin'),
        )

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._say(f'the MQTT broker {self._broker} refuses: {reason}')
            return
        self._connected = True
        self._say(f'connected to the MQTT broker {self._broker}')
        # Anew at each connection: a broker that was started anew may have forgotten all.
        client.publish(self._config_topic, json.dumps(self.config()), qos=1, retain=True)
        client.publish(f'{self.topic}/available', 'online', qos=1, retain=True)
        client.publish(self.topic, self._state, qos=1, retain=True)

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if self._connected and reason.is_failure:
            self._say(f'the MQTT broker {self._broker} is gone ({reason}); events wait for it')
        self._connected = False

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        self._say(f'the MQTT broker {self._broker} does not answer; events wait for it')


def as_json(event: Event) -> dict[str, Any]:
    """An event as it is written and published: times in ms precision."""
    numbers = dict(confidence=round(event.confidence, 4), start=round(event.start, 3))
    return dict(event=event.kind, label=event.label, **numbers, end=round(event.end, 3))


def _public(url: str) -> str:
    address = urlsplit(url)
    return url.replace(f'{address.netloc}', address.netloc.rpartition('@')[2], 1)
