"""What composing gives: a config to read, and what it was made of."""

from dataclasses import dataclass

from mmengine.config import Config


@dataclass(frozen=True)
class Composition:
    """An X-Learner config made of stock ones.

    Attributes:
        text (str): The config file.
        taken (dict[str, list[str]]): By source, what was taken over.
        left_out (dict[str, list[str]]): By source, what was not, and what was changed.
    """

    text: str
    taken: dict[str, list[str]]
    left_out: dict[str, list[str]]

    @property
    def config(self) -> Config:
        """The config, as if its file were read."""
        return Config.fromstring(self.text, file_format='.py')

    @property
    def report(self) -> str:
        """What was taken over and what was not, for people."""
        lines = []
        for source in self.taken:
            lines += [f'{source}:'] + [f'  + {line}' for line in self.taken[source]]
            lines += [f'  - {line}' for line in self.left_out[source]]
        return '\n'.join(lines)
