"""A config that is written down once, not for every checkpoint."""

from mmengine.config import Config


class WrittenConfig(Config):
    """A config whose text is made again only after it has changed.

    mmengine puts the text into every checkpoint, and formats it each time:
    a tenth of a second, which is an epoch where features are kept.

    Args:
        cfg (Config): Whose content it shares.
    """

    def __init__(self, cfg: Config) -> None:
        self.__dict__.update(cfg.__dict__)

    @property
    def pretty_text(self) -> str:
        """The config as formatted Python."""
        content = repr(self.to_dict())
        written = self.__dict__.get('_written')
        if written is None or written[0] != content:
            written = content, super().pretty_text
            self.__dict__['_written'] = written
        return written[1]
