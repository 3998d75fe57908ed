"""gpudoctor: diagnoses PyTorch/CUDA environments and explains why jobs died."""

from gpudoctor._version import VERSION

__version__ = VERSION
__all__ = ["__version__"]
