"""The README's table of clients: written by `report`, and naming every client there is."""

from __future__ import annotations

from tests.clients.abilities import ABILITIES, PROGRAMS
from tests.clients.report import BEGIN, END, README, read_results, render_table

RESULTS = """<testsuites><testsuite>
<testcase name="a"><properties><property name="client" value="boto3"/><property name="version" value="1"/>
<property name="ability" value="upload"/></properties></testcase>
<testcase name="b"><properties><property name="client" value="boto3"/><property name="version" value="1"/>
<property name="ability" value="delete"/></properties><failure/></testcase>
<testcase name="c"><properties><property name="client" value="s3cmd"/><property name="version" value="2"/>
<property name="ability" value="presign"/></properties><skipped/></testcase>
<testcase name="d"/>
</testsuite></testsuites>"""


def test_results_become_marks() -> None:
    outcomes, versions = read_results(RESULTS)
    assert outcomes == {"boto3": {"upload": "passed", "delete": "failed"}, "s3cmd": {"presign": "lacks"}}
    table = render_table(outcomes, versions).splitlines()
    assert table[2].startswith("| boto3 | 1 | ✓ |")
    assert table[2].count("✗") == 1
    assert table[3].count("–") == 1
    assert len(table[2].split("|")) == len(ABILITIES) + 4


def test_the_readme_names_every_client_and_no_failure() -> None:
    table = README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    for program in PROGRAMS:
        assert f"| {program.name} |" in table
    assert "✗" not in table
