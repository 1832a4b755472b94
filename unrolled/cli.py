"""The command `unrolled`: gives Jupyter a kernel for the CPU and one for the GPU, or removes them.

Results go to stdout, notes and errors to stderr. Exit codes: 0 done, 1 something asked for was not
done (there is no GPU, or nothing to remove), 2 a wrong call or our fault.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KERNELS = {"cpu": "Unrolled (CPU)", "gpu": "Unrolled (GPU)"}
DEVICES = {"cpu": "cpu", "gpu": "cuda"}


def name_of(kind: str) -> str:
    """Return the name under which Jupyter keeps a kernel: ``unrolled-cpu`` or ``unrolled-gpu``."""
    return f"unrolled-{kind}"


def kernelspec(kind: str) -> dict:
    """Return what Jupyter needs to start this Python on one thread and on the kind's device."""
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": KERNELS[kind],
        "language": "python",
        "metadata": {"debugger": True},
        "env": {"UNROLLED_DEVICE": DEVICES[kind], "OMP_NUM_THREADS": "1"},
    }


def cuda_is_there() -> bool:
    """Return whether PyTorch sees a CUDA device."""
    import torch

    return torch.cuda.is_available()


def install(kinds: Sequence[str], sys_prefix: bool, force: bool) -> int:
    """Write the kernelspecs and say where they are; skip the GPU's where there is no GPU."""
    from jupyter_client.kernelspec import KernelSpecManager

    done = 0
    for kind in kinds:
        if kind == "gpu" and not force and not cuda_is_there():
            note(
                f"{KERNELS[kind]}: not installed, because PyTorch sees no CUDA device here. "
                "Next: unrolled kernels install gpu --force, if it will see one later."
            )
            continue
        with tempfile.TemporaryDirectory() as folder:
            spec = Path(folder, "kernel.json")
            spec.write_text(json.dumps(kernelspec(kind), indent=1) + "\n", "utf8")
            where = KernelSpecManager().install_kernel_spec(
                folder, name_of(kind), **place(sys_prefix)
            )
        print(f"{KERNELS[kind]}: installed in {where}")
        done += 1
    return 0 if done else 1


def remove(kinds: Sequence[str]) -> int:
    """Delete the kernels of this course, wherever Jupyter finds them."""
    from jupyter_client.kernelspec import KernelSpecManager

    manager, done = KernelSpecManager(), 0
    for kind in kinds:
        if name_of(kind) in manager.find_kernel_specs():
            print(f"{KERNELS[kind]}: removed {manager.remove_kernel_spec(name_of(kind))}")
            done += 1
        else:
            note(f"{KERNELS[kind]}: not installed, nothing to remove.")
    return 0 if done else 1


def show() -> int:
    """Print the kernels of this course: name, where it is, its Python."""
    from jupyter_client.kernelspec import KernelSpecManager

    manager = KernelSpecManager()
    found = manager.find_kernel_specs()
    for kind in KERNELS:
        if name_of(kind) in found:
            spec = manager.get_kernel_spec(name_of(kind))
            print(f"{spec.display_name}\t{found[name_of(kind)]}\t{spec.argv[0]}")
    if not any(name_of(kind) in found for kind in KERNELS):
        note("No kernel of the course is installed. Next: unrolled kernels install")
    return 0


def place(sys_prefix: bool) -> dict:
    """Return where a kernelspec goes: the user's folder, or that of this environment."""
    return {"prefix": sys.prefix} if sys_prefix else {"user": True}


def note(text: str) -> None:
    """Print on stderr."""
    print(text, file=sys.stderr)


def described(text: str, example: str) -> dict[str, Any]:
    """Return how a command's help looks: what it does first, a line that can be run last."""
    return {
        "description": text,
        "epilog": f"Example:\n  {example}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    text = "Tools for readers of the course."
    top = argparse.ArgumentParser("unrolled", **described(text, "unrolled kernels list"))
    groups = top.add_subparsers(required=True, metavar="COMMAND")
    text = "Give Jupyter the kernels 'Unrolled (CPU)' and 'Unrolled (GPU)', or take them back."
    about = described(text, "unrolled kernels install")
    kernels = groups.add_parser("kernels", help="kernels for Jupyter", **about)
    verbs = kernels.add_subparsers(required=True, metavar="VERB")
    add_install(verbs)
    about = described("Remove the kernels; nothing else is touched.", "unrolled kernels remove")
    drop = verbs.add_parser("remove", help="take them away", **about)
    add_kinds(drop)
    drop.set_defaults(run=lambda a: remove(a.kinds or list(KERNELS)))
    text = "List the installed kernels: name, folder and Python, separated by tabs."
    about = described(text, "unrolled kernels list")
    verbs.add_parser("list", help="show them", **about).set_defaults(run=lambda a: show())
    return top


def add_install(verbs: Any) -> None:
    """Add the command that installs."""
    text = (
        "Install the kernels. They start this Python with UNROLLED_DEVICE set and one thread.\n"
        "The GPU's is installed only where PyTorch sees a CUDA device."
    )
    about = described(text, "unrolled kernels install cpu")
    put = verbs.add_parser("install", help="add them", **about)
    add_kinds(put)
    text = "into this environment, not into your home folder"
    put.add_argument("--sys-prefix", action="store_true", help=text)
    text = "the GPU's even where there is no GPU"
    put.add_argument("--force", action="store_true", help=text)
    put.set_defaults(run=lambda a: install(a.kinds or list(KERNELS), a.sys_prefix, a.force))


def add_kinds(verb: argparse.ArgumentParser) -> None:
    """Let a command be told which kernels it is about."""
    text = "which (default: both)"
    verb.add_argument("kinds", nargs="*", metavar="cpu|gpu", help=text, type=kind_named)


def kind_named(word: str) -> str:
    """Return a kind of kernel; raise what argparse reports otherwise."""
    if word not in KERNELS:
        raise argparse.ArgumentTypeError(f"{word!r} is neither cpu nor gpu")
    return word


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ImportError as error:
        note(f"unrolled: {error}. Next: {sys.executable} -m pip install ipykernel torch")
    except OSError as error:
        note(
            f"unrolled: {error.filename or 'file system'}: {error.strerror or error}. "
            "Next: choose a folder that you may write to, with JUPYTER_DATA_DIR or --sys-prefix."
        )
    return 2


if __name__ == "__main__":
    sys.exit(main())
