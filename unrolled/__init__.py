"""The students' library of the course: device, data, checks and plots.

Importing it loads nothing heavy; PyTorch is imported when ``device()`` is first called.
"""

from unrolled.device import device

__version__ = "0.1.0"
__all__ = ["__version__", "device"]
