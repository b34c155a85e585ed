"""What came over the line while an answer was awaited, and what that says about the line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Heard:
    """A tally of everything that came instead of one answer.

    Attributes:
        zero_bytes: delimiters with nothing between them.
        garbage_bytes: bytes that are no frame: damaged, cut off, or noise.
        garbage_pieces: how many stretches they came in, each up to a delimiter or a time-out.
        damaged_requests: times that the device said so of what it received.
        other_answers: whole frames that answer another request.
        echoes: times that the request itself came back.
    """

    zero_bytes: int = 0
    garbage_bytes: int = 0
    garbage_pieces: int = 0
    damaged_requests: int = 0
    other_answers: int = 0
    echoes: int = 0

    def explain(self, baud: int) -> str:
        """Say in half a sentence what came, and what is likely to be wrong."""
        if self.echoes:
            return "the line sends back what it is sent: are RX and TX connected with each other?"
        if self.garbage_pieces > self.other_answers:
            return (
                f"{self.garbage_bytes:,} bytes came that are no frames: a wrong baud rate is the likely cause (this "
                f"host uses {baud}), or other firmware, a loose wire, or a second program that reads the port"
            )
        if self.damaged_requests:
            return (
                f"the device received damaged frames only ({self.damaged_requests}): are the cable and the baud rate "
                f"right (this host uses {baud})?"
            )
        if self.other_answers:
            return (
                f"answers to other requests came ({self.other_answers:,}): does another program use the port? Close "
                "it, and reset the board"
            )
        if self.zero_bytes:
            return (
                f"only zero bytes came ({self.zero_bytes:,}): is the board powered, its RX wired, and the baud rate "
                f"right (this host uses {baud})?"
            )
        return "nothing came: is TinyNAS firmware flashed, the port right and the board running?"
