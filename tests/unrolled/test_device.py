"""device() follows the machine unless UNROLLED_DEVICE says otherwise."""

import subprocess
import sys

import pytest
import torch

import unrolled


@pytest.fixture
def cuda(monkeypatch):
    """Return a function that pretends there is, or is not, a CUDA device."""
    monkeypatch.delenv("UNROLLED_DEVICE", raising=False)
    return lambda present: monkeypatch.setattr(torch.cuda, "is_available", lambda: present)


@pytest.mark.parametrize(("present", "kind"), [(True, "cuda"), (False, "cpu")])
def test_chooses_cuda_when_present(cuda, present, kind):
    """Without the variable, CUDA is used when PyTorch sees it."""
    cuda(present)
    assert unrolled.device() == torch.device(kind)


@pytest.mark.parametrize("choice", ["cpu", " CPU "])
def test_variable_overrides_cuda(cuda, monkeypatch, choice):
    """UNROLLED_DEVICE=cpu keeps everything off the GPU; case and spaces do not matter."""
    cuda(True)
    monkeypatch.setenv("UNROLLED_DEVICE", choice)
    assert unrolled.device() == torch.device("cpu")


def test_empty_variable_means_unset(cuda, monkeypatch):
    """An empty UNROLLED_DEVICE chooses automatically."""
    cuda(False)
    monkeypatch.setenv("UNROLLED_DEVICE", "")
    assert unrolled.device() == torch.device("cpu")


def test_unknown_value_is_refused(cuda, monkeypatch):
    """A value that is neither cpu nor cuda names the variable, the value and the choices."""
    cuda(False)
    monkeypatch.setenv("UNROLLED_DEVICE", "gpu0")
    with pytest.raises(ValueError, match=r"UNROLLED_DEVICE: expected cpu or cuda, got 'gpu0'\."):
        unrolled.device()


def test_missing_cuda_is_not_replaced_silently(cuda, monkeypatch):
    """Asking for CUDA where there is none is an error that says what to do."""
    cuda(False)
    monkeypatch.setenv("UNROLLED_DEVICE", "cuda")
    with pytest.raises(RuntimeError, match="UNROLLED_DEVICE=cpu"):
        unrolled.device()


def test_import_is_light():
    """Importing unrolled and its checks loads no PyTorch."""
    code = "import sys, unrolled, unrolled.checks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version_is_that_of_the_package():
    """unrolled.__version__ is what pip shows."""
    from importlib.metadata import version

    assert unrolled.__version__ == version("unrolled")
