"""The documents say what the code does: the tutorial runs, the tables of formats are current."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from visds.core.arrays import format_table
from visds.core.flags import Flag
from visds.crossmatch.match import COLUMNS
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.light_curve import LightCurve
from visds.visibility.chunk import VisibilityChunk

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("record", [DynamicSpectrum, LightCurve, VisibilityChunk])
def test_formats_page_has_the_declared_arrays(record):
    assert format_table(record) in (ROOT / "docs/formats.md").read_text()


def test_formats_page_has_every_flag():
    page = (ROOT / "docs/formats.md").read_text()
    for flag in Flag:
        assert f"| `{flag.name}` | {int(flag)} | {flag.description} |" in page


def test_formats_page_has_every_column_of_the_matches():
    page = (ROOT / "docs/formats.md").read_text()
    for name, (unit, meaning) in COLUMNS.items():
        assert f"| `{name}` | {unit or '–'} | {meaning} |" in page


def test_links_between_documents_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_of_the_tutorial_runs(tmp_path):
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}",
                                "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    blocks = re.findall(r"```(bash|python)\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(),
                        re.DOTALL)
    assert len(blocks) >= 7
    said = ""
    for language, text in blocks:
        command = ["bash", "-euc", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True,
                              text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    peak = float(re.search(r"peak ([\d.]+) \+-", said)[1])
    assert peak == pytest.approx(0.3, abs=0.05)
    assert "has no source at the target in its difference image" in said
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"overview.pdf",
                                                                       "dynspec_V.png"}


def test_python_beside_the_clone_finds_the_package_and_not_the_folder(tmp_path):
    (tmp_path / "visds").mkdir()
    subprocess.run([sys.executable, "-c", "from visds import DynamicSpectrum"], cwd=tmp_path,
                   check=True)
