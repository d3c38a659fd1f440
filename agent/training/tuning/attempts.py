"""A policy in training that acts, and keeps what it read and replied."""

from __future__ import annotations

from ...checkpoints.checkpoint import Checkpoint
from ...local import LocalPolicy
from ...policy import Context, Prediction
from .sequences import TrainingSequence, merged, sequence_of


class AttemptingPolicy(LocalPolicy):
    """Draws replies, and keeps those of the newest episode as sequences, unreadable ones too.

    Args:
        checkpoint: whose weights may change between episodes.
        temperature: of the draw; 0 is greedy.
        seed: of the draw.
    """

    def __init__(self, checkpoint: Checkpoint, temperature: float = 1.0, seed: int = 0) -> None:
        self._sequences: list[TrainingSequence] = []
        super().__init__(checkpoint, temperature=temperature, seed=seed, decoding="plain")

    def start(self) -> None:
        """Begin a new episode."""
        super().start()
        self._sequences = []

    def predict(self, context: Context) -> Prediction:
        """Reply; see ``LocalPolicy``."""
        prompt = self.prompt(context)
        try:
            return super().predict(context)
        finally:
            if self.last_ids:
                self._sequences.append(sequence_of(prompt, self.last_ids, self.target.network.image_token))

    @property
    def sequences(self) -> list[TrainingSequence]:
        """The replies of the newest episode; those that one forward can learn together are one."""
        return merged(self._sequences)
