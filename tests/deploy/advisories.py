"""Says what `pip-audit` found: `python -m tests.deploy.advisories build/advisories.json`.

It ends with 1 where a pinned package has a known vulnerability. Packages about which no advisory data could be reached
are counted, and are no failure: the check runs in places without a network too.
"""

import json
import sys
from pathlib import Path
from typing import Any

ACCEPTED: dict[str, str] = {}  # advisory -> why it does not concern Lacuna


def summary(report: dict[str, Any]) -> tuple[list[str], bool]:
    """Sentences about a report of `pip-audit --format json`, and whether a vulnerability is known."""
    packages = report["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    sentences = [f"{len(packages) - len(skipped)} of {len(packages)} pinned packages were audited."]
    if skipped:
        sentences.append(f"Advisory data could not be reached for {len(skipped)}.")
    found = [
        (f"{package['name']} {package['version']}: {advisory['id']}", advisory["fix_versions"])
        for package in packages
        for advisory in package.get("vulns", ())
        if not {advisory["id"], *advisory.get("aliases", ())} & ACCEPTED.keys()
    ]
    sentences += [f"{name}, fixed in {', '.join(fixed) or 'no version'}." for name, fixed in found]
    return sentences, bool(found)


def main() -> None:
    """Print the sentences; end with 1 where there is something to do."""
    path = Path(sys.argv[1])
    if not path.is_file() or not path.read_text().strip():
        print("pip-audit could not be run: nothing was audited.")
        return
    sentences, found = summary(json.loads(path.read_text()))
    print("\n".join(sentences))
    sys.exit(int(found))


if __name__ == "__main__":
    main()
