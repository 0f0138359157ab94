"""Run by the Python that has Tempest: reads the results of its last run (subunit, version 2), prints them as JSON.

One list: of each test its id, its status (success, fail, skip), why it was skipped, and what it left behind as text.
"""

import json
import sys

import subunit
import testtools

_KEPT = 20_000


def main() -> None:
    found = []

    def take(test: dict) -> None:
        texts = (item for item in test["details"].items() if item[1].content_type.type == "text")
        details = {name: content.as_text() for name, content in texts}
        text = "\n".join(details.get(name, "")[-_KEPT:] for name in ("traceback", "pythonlogging:''"))
        found.append({"id": test["id"], "status": test["status"], "skipped": details.get("reason", ""), "text": text})

    result = testtools.StreamToDict(take)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="output").run(result)
    result.stopTestRun()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
