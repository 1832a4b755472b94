"""The doctor notices when a layer does not hold, and grading refuses until told otherwise."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from autograder import doctor, sandbox
from autograder.cli import cli
from autograder.doctor_attacks import ATTACKS

# Runs the doctor's attacks in a sandbox whose layer NAME only pretends to be there.
PRETEND = """
import json, sys
from dataclasses import asdict
from autograder import doctor, lock_in
apply = lock_in._Layers.apply
def pretend(self, name, action):
    if name == sys.argv[1]:
        self.absent.add(name)
    else:
        apply(self, name, action)
lock_in._Layers.apply = pretend
print(json.dumps([asdict(finding) for finding in doctor.probe()]))
"""


@pytest.mark.parametrize("layer", sandbox.LAYERS)
def test_doctor_notices_a_layer_that_does_not_hold(layer: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRETEND, layer], capture_output=True, text=True, timeout=60
    )
    findings = {f["layer"]: f for f in json.loads(done.stdout)}
    assert not findings[layer]["holds"], findings[layer]["found"]


def test_every_layer_is_attacked() -> None:
    assert ATTACKS.keys() == sandbox.LAYERS.keys()


def test_all_layers_hold_here() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    rows = json.loads(done.stdout)
    assert {row["layer"]: row["found"] for row in rows if not row["holds"]} == {}
    assert done.exit_code == 0


def test_doctor_says_what_a_missing_layer_means(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [doctor.Finding("network", False, "send to 127.0.0.1: succeeded")]
    monkeypatch.setattr(doctor, "findings", lambda: found)
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 1
    assert sandbox.LAYERS["network"] in done.stderr
    assert "--without-sandbox-layer network" in done.stderr


def test_grading_refuses_where_a_layer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [doctor.Finding("seccomp", False, "succeeded"), doctor.Finding("pid", True, "refused")]
    monkeypatch.setattr(doctor, "findings", lambda: found)
    monkeypatch.setattr(sandbox, "_required", set())
    monkeypatch.delenv(sandbox.WITHOUT, raising=False)
    with pytest.raises(sandbox.SandboxIncomplete, match="seccomp"):
        sandbox.require()
    sandbox.require(["seccomp"])
    monkeypatch.setenv(sandbox.WITHOUT, "seccomp")
    sandbox.require()


def test_a_layer_named_as_dispensable_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sandbox.WITHOUT, "seccomp, firewall")
    with pytest.raises(Exception, match="no such layer: firewall"):
        sandbox.dispensable()


def test_a_process_that_cannot_be_locked_in_does_not_run() -> None:
    program = (
        "from autograder import lock_in, seccomp, syscalls\n"
        "from autograder.sandbox import Quota\n"
        "def missing(): raise OSError(38, 'not there')\n"
        "seccomp.restrict = missing\n"
        "lock_in.prepare()\n"
        "lock_in.spawn(lambda: print('ran', flush=True), Quota(), '/tmp', [1])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != sandbox.WITHOUT}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60
    )
    assert "seccomp (not there)" in done.stderr
    assert "ran" not in done.stdout
