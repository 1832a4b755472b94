"""What a locked-in process cannot do, each named after the attack; as root and as anybody else."""

from pathlib import Path

import pytest

from tests.sandbox.conftest import Inside, run_python

REPOSITORY = Path(__file__).resolve().parents[2]
DENIED = ("PermissionError", "FileNotFoundError", "OSError")


@pytest.mark.parametrize(
    "path",
    [
        str(REPOSITORY / "solutions"),
        str(REPOSITORY / "nbgrader_config.py"),
        str(REPOSITORY / "tests"),
        "/etc/shadow",
        "/etc/hostname",
        "/root",
        "/home",
        "/",
        "/var",
    ],
)
def test_cannot_read_files_of_others(inside: Inside, path: str) -> None:
    answer = inside(
        "import os\ndef attack():\n"
        f"    return os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}).read()"
    )
    assert str(answer).startswith(DENIED)


def test_sees_no_course_by_any_name(inside: Inside) -> None:
    answer = inside(
        "import os\ndef attack():\n"
        f"    return [os.path.exists(os.path.join({str(REPOSITORY)!r}, name)) for name in"
        " ('solutions', 'nbgrader_config.py', 'classroom', '.git', 'exercises')]"
    )
    assert answer == [False] * 5


@pytest.mark.parametrize(
    "path", ["/x", "/usr/lib/x", "/etc/x", "/dev/x", "/proc/sys/kernel/core_pattern"]
)
def test_cannot_write_outside_its_folder(inside: Inside, path: str) -> None:
    answer = inside(f"def attack():\n    return open({path!r}, 'w').write('x')")
    assert answer.startswith(DENIED)


def test_can_write_in_its_own_folder_and_in_tmp(inside: Inside) -> None:
    answer = inside(
        "import tempfile\ndef attack():\n"
        "    with open('mine', 'w') as a, open('/tmp/other', 'w') as b, "
        "tempfile.NamedTemporaryFile() as c:\n"
        "        return [a.write('x'), b.write('x'), c.write(b'x')]"
    )
    assert answer == [1, 1, 1]


def test_cannot_fill_the_disk(inside: Inside) -> None:
    answer = inside(
        "def attack():\n    for n in range(100):\n        open(f'f{n}', 'wb').write(bytes(2**20))",
        disk=8 * 2**20,
    )
    assert "No space left" in answer


def test_cannot_reach_the_network(inside: Inside) -> None:
    answer = inside(
        "import socket\ndef attack():\n"
        "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    return s.sendto(b'x', ('127.0.0.1', 53))"
    )
    assert answer.startswith("OSError")


def test_sees_only_its_own_processes(inside: Inside) -> None:
    answer = inside(
        "import os\ndef attack():\n"
        "    return [os.getpid(), os.getppid(), [n for n in os.listdir('/proc') if n.isdigit()]]"
    )
    assert answer == [1, 0, ["1"]]


def test_cannot_signal_anybody(inside: Inside) -> None:
    answer = inside(
        "import os\ndef attack():\n"
        "    found = []\n"
        "    for pid in range(2, 40000):\n"
        "        try:\n"
        "            os.kill(pid, 0)\n"
        "            found.append(pid)\n"
        "        except OSError:\n"
        "            pass\n"
        "    return found"
    )
    assert answer == []


def test_has_no_rights_and_cannot_get_them(inside: Inside) -> None:
    answer = inside(
        "import os\ndef attack():\n"
        "    status = dict(line.split(':\\t') for line in open('/proc/self/status'))\n"
        "    names = ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')\n"
        "    return [int(status[n], 16) for n in names] + [status['NoNewPrivs'].strip()]"
    )
    assert answer == [0, 0, 0, 0, 0, "1"]


@pytest.mark.parametrize("flag", [0x10000000, 0x40000000, 0x20000, 0x20000000])
def test_cannot_make_namespaces(inside: Inside, flag: int) -> None:
    answer = inside(
        "import ctypes, signal\nlibc = ctypes.CDLL(None, use_errno=True)\ndef attack():\n"
        f"    return [libc.unshare({flag}), libc.syscall(56, {flag} | 17, 0, 0, 0, 0),"
        f" libc.syscall(435, 0, 0)]"
    )
    assert answer == [-1, -1, -1]


def test_cannot_outlive_the_grader(inside: Inside) -> None:
    answer = inside(
        "import ctypes\ndef attack():\n"
        "    asked = ctypes.c_int()\n"
        "    libc = ctypes.CDLL(None)\n"
        "    refused = libc.prctl(1, 0)\n"
        "    libc.prctl(2, ctypes.byref(asked))\n"
        "    return [refused, asked.value]"
    )
    assert answer == [-1, 9]


def test_daemons_die_with_it(inside: Inside) -> None:
    # the daemon keeps the answer's descriptor open: reading it ends only when the daemon is dead
    answer = inside(
        "import os, time\ndef attack():\n    return 'answer'\n"
        "def after():\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(1000)\n"
        "        os._exit(0)\n"
    )
    assert answer == "answer"


def test_inherits_no_descriptors_and_no_environment(inside: Inside) -> None:
    answer = inside(
        "import os\ndef attack():\n"
        "    numbers = [int(n) for n in os.listdir('/proc/self/fd')]\n"
        "    open_ones = []\n"
        "    for n in numbers:\n"
        "        try:\n"
        "            open_ones.append(os.readlink(f'/proc/self/fd/{n}').split(':')[0])\n"
        "        except OSError:\n"
        "            pass\n"
        "    return [open_ones, [n for n in os.environ if 'SECRET' in n]]"
    )
    assert answer == [["/dev/null"] * 3 + ["pipe"], []]


def test_cannot_use_more_memory(inside: Inside) -> None:
    answer = inside("def attack():\n    return len(bytearray(2**28))", memory=2**26)
    assert answer.startswith("MemoryError")


def test_cannot_get_memory_that_is_not_counted(inside: Inside) -> None:
    answer = inside(
        "import ctypes, os\ndef attack():\n"
        "    shm = ctypes.CDLL(None).shmget(0, 2**30, 0o1600)\n"
        "    try:\n"
        "        return [shm, os.memfd_create('x')]\n"
        "    except OSError as error:\n"
        "        return [shm, error.errno]"
    )
    assert answer == [-1, 1]


def test_cannot_start_more_processes(inside: Inside) -> None:
    answer = inside(
        "import os, time\ndef attack():\n"
        "    for n in range(100):\n"
        "        try:\n"
        "            if os.fork() == 0:\n"
        "                time.sleep(100)\n"
        "        except BlockingIOError:\n"
        "            return n",
        processes=20,
    )
    assert 10 <= answer <= 20


def test_others_processes_do_not_count_as_its_own(user: str, tmp_path: Path) -> None:
    program = (
        "import os, threading, time\n"
        "from autograder import lock_in\n"
        "from autograder.sandbox import Quota\n"
        "lock_in.prepare()\n"
        "read, write = os.pipe()\n"
        "def body():\n"
        "    for _ in range(10):\n"
        "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "    os.write(write, b'x')\n"
        "    time.sleep(60)\n"
        "children = [lock_in.spawn(body, Quota(processes=20), '/tmp', [write]) for _ in range(6)]\n"
        "os.close(write)\n"
        "for _ in children:\n"
        "    assert os.read(read, 1) == b'x'\n"
        "for child in children:\n"
        "    lock_in.end(child)\n"
    )
    done = run_python(user, ["-c", program], tmp_path)
    assert done.returncode == 0, done.stderr


def test_cannot_dump_core_or_open_more_files(inside: Inside) -> None:
    answer = inside(
        "import resource\ndef attack():\n"
        "    return [resource.getrlimit(resource.RLIMIT_CORE), "
        "resource.getrlimit(resource.RLIMIT_NOFILE)]",
        files=100,
    )
    assert answer == [[0, 0], [100, 100]]


def test_limits_cannot_be_raised(inside: Inside) -> None:
    answer = inside(
        "import resource\ndef attack():\n"
        "    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)"
    )
    assert answer.startswith("ValueError") or answer.startswith("PermissionError")


def test_python_and_its_packages_work(inside: Inside) -> None:
    answer = inside(
        "def attack():\n"
        "    import csv, decimal, sqlite3, ssl, numpy\n"
        "    return [float(numpy.linalg.inv(numpy.eye(2)).sum()), sqlite3.connect(':memory:')"
        ".execute('select 1').fetchone()]",
        memory=2**30,
    )
    assert answer == [2.0, [1]]
