"""What the grader and the candidate must agree on, without importing each other."""

SERVE = "# answer the calls of one test cell"
