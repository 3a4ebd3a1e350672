"""
Options by their old names: they work, and it is said what they are called now.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.config.file import Config, ConfigError, check
from txtokensock.bridge.config.old_options import renew
from txtokensock.config.document import Document
from txtokensock.config.section import Problem

RULE = (
    '[upstream]\nhost = "h"\n[webhooks]\nspool = "spool.sqlite"\n'
    '[[webhooks.channels]]\nchannels = ["a"]\nurl = "http://a.test/"\n'
)
WAMP = '[upstream]\nhost = "h"\n[wamp]\nurl = "ws://h/ws"\nrealm = "r"\n'


class OldOptionTests(SynchronousTestCase):
    """What is written in a file of an earlier release."""

    def read(self, text: str) -> tuple[Config, list[str]]:
        """The configuration, and what is said of it."""
        said: list[Problem] = []
        config = check(Document(text, "bridge.toml"), said.append)
        return config, list(map(str, said))

    def test_waits(self) -> None:
        """They are in a table by now, with the words that all back-offs have."""
        config, said = self.read(RULE + "first_delay = 2\nlongest_delay = 60\n")
        assert config.webhooks is not None
        self.assertEqual(config, self.read(RULE + "backoff = { first = 2, cap = 60 }\n")[0])
        self.assertEqual(
            said,
            [
                "bridge.toml:8: webhooks.channels[0].first_delay: is deprecated and ends with"
                " txtokensock 0.3.0: write backoff.first = instead",
                "bridge.toml:9: webhooks.channels[0].longest_delay: is deprecated and ends with"
                " txtokensock 0.3.0: write backoff.cap = instead",
            ],
        )
        config, said = self.read(WAMP + "longest_delay = 3\n")
        self.assertEqual(config, self.read(WAMP + "[wamp.backoff]\ncap = 3\n")[0])
        self.assertTrue(said[0].startswith("bridge.toml:6: wamp.longest_delay: is deprecated"))

    def test_partly_new(self) -> None:
        """Old and new may stand side by side, as long as they are about different things."""
        config, said = self.read(RULE + "first_delay = 2\nbackoff = { cap = 60 }\n")
        self.assertEqual(config, self.read(RULE + "backoff = { first = 2, cap = 60 }\n")[0])
        self.assertEqual(len(said), 1)

    def test_both(self) -> None:
        """It is not for us to choose."""
        text = RULE + "first_delay = 2\nbackoff = { first = 3 }\n"
        error = self.assertRaises(ConfigError, lambda: check(Document(text, "bridge.toml")))
        self.assertEqual(
            str(error),
            "bridge.toml:8: webhooks.channels[0].first_delay: is the old name of backoff.first:"
            " write one of them",
        )

    def test_overflow(self) -> None:
        """The words are those of the client."""
        for old, new in (("newest", "drop-newest"), ("oldest", "drop-oldest")):
            config, said = self.read(f'{RULE}overflow = "{old}"\n')
            self.assertEqual(config, self.read(f'{RULE}overflow = "{new}"\n')[0])
            self.assertIn(f'write overflow = "{new}" instead', said[0])

    def test_nothing_old(self) -> None:
        """Nothing is said, and nothing changed."""
        for text in (RULE, WAMP, '[upstream]\nhost = "h"\n'):
            self.assertEqual(self.read(text)[1], [])

    def test_logged(self) -> None:
        """Where nobody asks for it, it is in the log."""
        with capturedLogs() as logged:
            check(Document(RULE + "first_delay = 2\n", "bridge.toml"))
        self.assertEqual([event["event"] for event in logged], ["bridge.deprecated"])
        self.assertIn("write backoff.first = instead", formatEvent(logged[0]))

    @given(
        st.recursive(
            st.none() | st.integers() | st.sampled_from(["newest", "oldest"]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(
                        ["webhooks", "wamp", "channels", "first_delay", "longest_delay", "backoff"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
        )
    )
    def test_anything(self, section: Any) -> None:
        """Whatever shape a file has: what is wrong with that, others say."""
        renew({"webhooks": section, "wamp": section})
