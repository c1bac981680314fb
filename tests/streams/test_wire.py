"""Messages between the capturing process and its parent."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.streams.wire import receive, send, widen

PIXELS = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)


def test_messages_arrive_as_they_were_sent() -> None:
    reading, writing = (
        os.fdopen(number, mode, buffering=0) for number, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
    )

    def write() -> None:
        with writing:
            widen(writing)
            send(writing, {"n": 1})
            send(writing, {"shape": PIXELS.shape}, PIXELS)
            send(writing, {"n": 2}, b"a file")
            send(writing, {"n": 3}, PIXELS[::2, ::2])

    writer = threading.Thread(target=write)
    writer.start()
    with reading:
        assert receive(reading) == ({"n": 1}, None)
        head, pixels = receive(reading) or ({}, None)
        assert pixels is not None
        np.testing.assert_array_equal(pixels.reshape(head["shape"]), PIXELS)
        head, data = receive(reading) or ({}, None)
        assert data is not None
        assert data.tobytes() == b"a file"
        head, pixels = receive(reading) or ({}, None)
        assert pixels is not None
        np.testing.assert_array_equal(pixels.reshape(240, 320, 3), PIXELS[::2, ::2])
        assert receive(reading) is None
    writer.join()


@given(st.integers(0, 60))
def test_half_a_message_is_the_end(n_bytes: int) -> None:
    """A process may be killed at any byte."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as file:
        send(file, {"n": 1}, b"x" * 60)
    whole = os.read(reading, 10_000)
    os.close(reading)
    reading, writing = os.pipe()
    os.write(writing, whole[:n_bytes])
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as cut:
        assert receive(cut) is None


def test_nobody_reads_any_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as file, pytest.raises(OSError):
        send(file, {}, b"x")
