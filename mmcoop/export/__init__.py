"""Write a learned classifier in forms that need no text tower.

Each form is written under another name, read again, compared with PyTorch
on images, and only then moved to where it belongs.
"""

from .export import FORMATS, Exported, check_export, export
from .verify import ExportError

__all__ = ['FORMATS', 'ExportError', 'Exported', 'check_export', 'export']
