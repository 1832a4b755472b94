"""This folder is an nbgrader course: `nbgrader COMMAND` works here, as `autograder COMMAND` does.

Options are explained by `nbgrader generate_config`; what is not set keeps nbgrader's default.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CLASSROOM = ROOT / "classroom"

c = get_config()  # noqa: F821 (traitlets gives this name to the file)

# nbgrader runs `alembic` by name to make a gradebook: let it be found without an activated .venv.
programs = str(Path(sys.executable).parent)
if programs not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])

# Where things are. Everything that nbgrader makes lies in classroom/, which git ignores.
c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.course_id = "unrolled"
c.CourseDirectory.db_url = f"sqlite:///{CLASSROOM / 'gradebook.db'}"
c.CourseDirectory.source_directory = "classroom/source"
c.CourseDirectory.release_directory = "classroom/release"
c.CourseDirectory.submitted_directory = "classroom/submitted"
c.CourseDirectory.autograded_directory = "classroom/autograded"
c.CourseDirectory.feedback_directory = "classroom/feedback"
c.CourseDirectory.solution_directory = "classroom/solution"

# The exchange is the folder that instructors and students of a hub share. Without one, a private
# folder (autograder build makes it) stands in, so that every command works on one machine.
exchange = os.environ.get("NBGRADER_EXCHANGE", "/usr/local/share/nbgrader/exchange")
c.Exchange.root = exchange if os.access(exchange, os.W_OK) else str(CLASSROOM / "exchange")
c.Exchange.timezone = "UTC"
c.NbGraderAPI.timezone = "UTC"

# What students find in place of an answer. BEGIN/END SOLUTION and BEGIN/END HIDDEN TESTS are
# nbgrader's default delimiters.
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer here.*"
# Mark schemes stand in manually graded answers here, not only in nbgrader's task cells.
c.ClearMarkScheme.enforce_metadata = False

# `nbgrader autograde` rebuilds each submission from the release and has it examined outside the
# student's process; the marks it then reads and records are nbgrader's own business, as ever.
c.Autograde.exporter_class = "autograder.preprocessors.SubmissionExporter"
c.Autograde.pre_convert_hook = "autograder.preprocessors.find_misnamed"
c.Autograde.sanitize_preprocessors = [
    "autograder.preprocessors.Rebuild",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.preprocessors.Examine",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Late work costs nothing until a policy says what; autograder/late.py explains it. For example
#   c.Autograder.late = {"*": {"percent": 10, "per": "day", "grace_minutes": 15, "at_most": 50}}
c.AssignLatePenalties.plugin_class = "autograder.preprocessors.LatePlugin"
