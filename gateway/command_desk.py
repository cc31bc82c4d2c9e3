"""Commands that come over MQTT: they wait for their turn, are answered one after the other, and not without end."""

import asyncio
import logging
import re
from dataclasses import replace

from gateway import payloads
from gateway.commands import Commands
from gateway.consumer.broker import Message, PacketTooLargeError
from gateway.consumer.mqtt import Connection
from gateway.sender import JSON
from readers.driver import Clock

log = logging.getLogger(__name__)

# Commands that wait for their turn; beyond it the newest are dropped, and counted.
MAX_WAITING_COMMANDS = 32
# After each answer, and as long as it took: whoever asks without end gets half of the loop at most.
LEAST_REST_S = 0.01
# What an asker may choose for the answer: brokers end the session of who publishes to anything stranger.
PLAIN_TOPIC = re.compile(r"[A-Za-z0-9_.:@=/-]{1,256}")
MAX_RESPONSE_LEVELS = 50
# A longer verb is not meant seriously: of an unknown one, so much is repeated in topics and logs.
MAX_VERB = 64


class CommandDesk:
    """Where commands arrive. Those that wait outlive the connection that brought them."""

    def __init__(self, commands: Commands, topics: payloads.Topics, clock: Clock) -> None:
        self.dropped = 0
        """Commands that came too fast."""
        self._commands = commands
        self._topics = topics
        self._clock = clock
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(MAX_WAITING_COMMANDS)

    def receive(self, message: Message) -> None:
        """Whatever the broker sends. A retained command was not meant for now."""
        if message.retain or not message.topic.startswith(self._topics.command("")):
            return
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped += 1

    async def answer(self, connection: Connection) -> None:
        """Answer commands until cancelled."""
        while True:
            message = await self._waiting.get()
            began_us = self._clock.monotonic_us()
            verb = message.topic.removeprefix(self._topics.command(""))
            answer = await self._commands.answer(verb, message.payload)
            topic = self.reply_topic(verb, message.properties.response_topic or "")
            properties = replace(JSON, correlation_data=message.properties.correlation_data)
            try:
                connection.publish(topic, answer.encode(), properties=properties)
            except PacketTooLargeError as error:
                # The asker's own choice of words (topic, correlation data), and its loss: no alert.
                log.warning("broker: no answer to %s: %s", verb[:MAX_VERB], error.text)
            await asyncio.sleep(max(LEAST_REST_S, (self._clock.monotonic_us() - began_us) / 1e6))

    def reply_topic(self, verb: str, wanted: str) -> str:
        """Where an answer goes: not into the topics by which this gateway itself speaks, and not nowhere."""
        root = self._topics.root
        takes_over = wanted.startswith(root) and not wanted.startswith(self._topics.reply(""))
        if PLAIN_TOPIC.fullmatch(wanted) and wanted.count("/") < MAX_RESPONSE_LEVELS and not takes_over:
            return wanted
        return self._topics.reply(verb[:MAX_VERB])
