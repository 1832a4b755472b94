"""`unrolled kernels` gives Jupyter two kernels and takes them back."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from unrolled import cli

VERBS = ([], ["kernels"], ["kernels", "install"], ["kernels", "remove"], ["kernels", "list"])


@pytest.fixture
def jupyter(tmp_path, monkeypatch) -> Path:
    """Return the folder of kernels of an empty Jupyter that no other kernel spec reaches."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("UNROLLED_DEVICE", raising=False)
    return tmp_path / "kernels"


@pytest.fixture
def no_gpu(monkeypatch) -> None:
    monkeypatch.setattr(cli, "cuda_is_there", lambda: False)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_ends_with_an_example_that_parses(words, capsys):
    """Every help can be tried at once."""
    with pytest.raises(SystemExit) as end:
        cli.main([*words, "--help"])
    assert end.value.code == 0
    before, last = capsys.readouterr().out.strip().splitlines()[-2:]
    assert before == "Example:"
    program, *example = shlex.split(last)
    assert program == "unrolled"
    assert cli.parser().parse_args(example).run


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_an_installed_kernel_names_this_python_and_its_device(jupyter, kind, capsys):
    """The spec starts this environment, on the device that its name says, on one thread."""
    assert cli.main(["kernels", "install", kind, "--force"]) == 0
    spec = json.loads((jupyter / f"unrolled-{kind}" / "kernel.json").read_text("utf8"))
    assert spec["argv"][0] == sys.executable
    assert spec["display_name"] == f"Unrolled ({kind.upper()})"
    device = {"cpu": "cpu", "gpu": "cuda"}[kind]
    assert spec["env"] == {"UNROLLED_DEVICE": device, "OMP_NUM_THREADS": "1"}
    assert str(jupyter) in capsys.readouterr().out


def test_without_a_gpu_only_the_cpu_kernel_is_installed(jupyter, no_gpu, capsys):
    """What was left out is said, with what to do about it."""
    assert cli.main(["kernels", "install"]) == 0
    assert [p.name for p in jupyter.iterdir()] == ["unrolled-cpu"]
    printed = capsys.readouterr()
    assert "Unrolled (GPU): not installed" in printed.err and "--force" in printed.err
    assert "GPU" not in printed.out
    assert cli.main(["kernels", "install", "gpu"]) == 1


def test_installing_twice_replaces(jupyter, no_gpu):
    """A second installation is no error."""
    assert cli.main(["kernels", "install", "cpu"]) == 0
    assert cli.main(["kernels", "install", "cpu"]) == 0


def test_removing_takes_away_what_was_installed(jupyter, capsys):
    """Afterwards the folder is as it was; removing again says that there is nothing."""
    cli.main(["kernels", "install", "--force"])
    (jupyter / "other").mkdir()
    (jupyter / "other" / "kernel.json").write_text("{}", "utf8")
    assert cli.main(["kernels", "remove"]) == 0
    assert [p.name for p in jupyter.iterdir()] == ["other"]
    assert cli.main(["kernels", "remove"]) == 1
    assert "nothing to remove" in capsys.readouterr().err


def test_listing_shows_what_is_installed(jupyter, capsys):
    """A line a kernel on stdout; where there is none, the next step on stderr."""
    assert cli.main(["kernels", "list"]) == 0
    printed = capsys.readouterr()
    assert not printed.out and "unrolled kernels install" in printed.err
    cli.main(["kernels", "install", "cpu"])
    capsys.readouterr()
    assert cli.main(["kernels", "list"]) == 0
    name, folder, python = capsys.readouterr().out.strip().split("\t")
    assert (name, Path(folder), python) == (
        "Unrolled (CPU)",
        jupyter / "unrolled-cpu",
        sys.executable,
    )


def test_sys_prefix_installs_into_the_environment(jupyter, tmp_path, monkeypatch):
    """--sys-prefix leaves the home folder alone."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    assert cli.main(["kernels", "install", "cpu", "--sys-prefix"]) == 0
    assert (tmp_path / "env/share/jupyter/kernels/unrolled-cpu/kernel.json").exists()
    assert not jupyter.exists()


@pytest.mark.parametrize("words", [[], ["kernels"], ["kernels", "install", "tpu"], ["dance"]])
def test_a_wrong_call_ends_with_2(words, capsys):
    """And says what is wrong."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert capsys.readouterr().err


def test_a_folder_that_cannot_be_written_ends_with_2(tmp_path, monkeypatch, no_gpu, capsys):
    """An error is one line with the next step."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(blocked))
    assert cli.main(["kernels", "install", "cpu"]) == 2
    printed = capsys.readouterr().err.strip().splitlines()
    assert len(printed) == 1 and "Next:" in printed[0]


def test_the_cpu_kernel_starts_and_computes_on_the_cpu(jupyter, no_gpu):
    """Jupyter finds it, and unrolled.device() is the CPU in it."""
    from jupyter_client.manager import start_new_kernel

    assert cli.main(["kernels", "install", "cpu"]) == 0
    manager, client = start_new_kernel(kernel_name="unrolled-cpu", startup_timeout=120)
    try:
        said = []
        code = "import os, unrolled; print(unrolled.device(), os.environ['OMP_NUM_THREADS'])"
        reply = client.execute_interactive(
            code, timeout=120, output_hook=lambda m: said.append(m["content"].get("text", ""))
        )
        assert reply["content"]["status"] == "ok"
        assert "".join(said).split() == ["cpu", "1"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_the_command_is_installed():
    """`unrolled` stands beside python in the environment."""
    program = Path(sys.executable).parent / "unrolled"
    done = subprocess.run(
        [program, "kernels", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "unrolled kernels install" in done.stdout
