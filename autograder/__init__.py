import sys

# jsonschema (under nbformat) compiles a grammar of web addresses at import, half of the start-up
# time of every process. Nothing here checks web addresses, and jsonschema does without it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
