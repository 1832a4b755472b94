"""A miniature course in a temporary folder: two functions and a written answer."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import nbgrader.api
import pytest
from click.testing import CliRunner, Result

from autograder.cli import cli
from autograder.course import Course

REPOSITORY = Path(__file__).resolve().parents[2]

MINI = '''\
# %% [markdown]
# # A miniature exercise
#
# The mean is $\\frac{1}{n}\\sum_i x_i$.

# %% tags=["setup"]
import numpy as np

# %% [markdown]
# ## The mean

# %% tags=["exercise", "id:mean-of"]
def mean_of(x):
    """Return the mean of ``x``."""
    ### BEGIN SOLUTION
    return sum(x) / len(x)
    ### END SOLUTION

# %% tags=["test", "id:mean-of-test", "points:40"]
assert mean_of([1.0, 3.0]) == 2.0, "mean_of: the mean of 1 and 3 is 2"
### BEGIN HIDDEN TESTS
secret = np.linspace(0.0, 1.0, 7)
np.testing.assert_allclose(mean_of(secret), 0.5)
### END HIDDEN TESTS

# %% tags=["exercise", "id:running-sum"]
def running_sum(x):
    """Return the sums of the first 1, 2, ... elements of ``x``."""
    ### BEGIN SOLUTION
    return np.cumsum(x)
    ### END SOLUTION

# %% tags=["test", "id:running-sum-test", "points:45"]
assert list(running_sum([1, 2, 3])) == [1, 3, 6], "running_sum: wrong for 1, 2, 3"
### BEGIN HIDDEN TESTS
assert len(running_sum(np.arange(11))) == 11, "running_sum: one sum for each element"
### END HIDDEN TESTS

# %%
print(running_sum([4, 5]))

# %% [markdown]
# **Question.** When is the mean a poor summary?

# %% [markdown] tags=["manual", "id:why-mean", "points:15"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# - outliers: 15
# ### END MARK SCHEME
'''


# nbgrader starts `alembic` for every new gradebook to ask for a version that never changes here.
nbgrader.api.get_alembic_version = functools.cache(nbgrader.api.get_alembic_version)


@pytest.fixture
def mini() -> str:
    """The text of a sound exercise source with 100 points."""
    return MINI


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course whose only assignment is ``mini``; nothing is built yet."""
    root = tmp_path / "course"
    (root / "solutions").mkdir(parents=True)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    (root / "solutions" / "mini.py").write_text(MINI, encoding="utf-8")
    return Course(root)


@pytest.fixture
def autograder(course: Course) -> Callable[..., Result]:
    """Runs the command line in ``course``: autograder("build", "mini")."""

    def run(*args: str) -> Result:
        return CliRunner().invoke(cli, ["--course-dir", str(course.root), *args])

    return run
