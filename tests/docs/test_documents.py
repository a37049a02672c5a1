"""The documents say what the code does: the tutorial runs, the tables of formats are current."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from spectra import spectrum

from visds.core.arrays import format_table
from visds.core.flags import Flag
from visds.crossmatch.match import COLUMNS
from visds.dynspec.detection.columns import COLUMNS as detection
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.fits import write_fits
from visds.dynspec.flagging.counts import FlagCounts
from visds.dynspec.light_curve import LightCurve
from visds.dynspec.polarimetry.summary import COLUMNS as polarization
from visds.dynspec.variability.measure import COLUMNS as variability
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.flagged_chunk import FlaggedChunk

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("record", [DynamicSpectrum, LightCurve, VisibilityChunk, FlaggedChunk,
                                    FlagCounts])
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


@pytest.mark.parametrize("columns", [detection, variability, polarization],
                         ids=["detections", "variability", "polarization"])
def test_formats_page_has_every_column_of_the_tables(columns):
    page = (ROOT / "docs/formats.md").read_text()
    for name, (_, unit, meaning) in columns.items():
        assert f"| `{name}` | {unit or '–'} | {meaning.replace('|', chr(92) + '|')} |" in page


def test_the_lines_that_read_the_fits_file_do_so(tmp_path, monkeypatch):
    page = (ROOT / "docs/formats.md").read_text().partition("\n## dynspec.fits\n")[2]
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    made = spectrum(np.ones((12, 4, 4)), sigma=0.01, scans=(1, 2))
    write_fits([made], tmp_path / "dynspec.fits")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)  # what a reader would type
    assert np.floor(made.time[0]) + found["seconds"] / 86400 == pytest.approx(made.time[5],
                                                                              abs=1e-9)
    assert found["hertz"] == pytest.approx(made.frequency[2])
    assert found["stokes"] == 1 and found["flux_density"].shape == (4, 4, 12)
    np.testing.assert_array_equal(found["mjd"], made.time)


def test_links_between_documents_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


OBSERVED = "## An observed pulsar"


def run_blocks(text, folder, **variables):
    """Run the commands of a text in a folder, as a reader would; return what they said."""
    scripts = Path(sys.executable).parent
    environment = os.environ | variables | {
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    said = ""
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", text, re.DOTALL):
        command = ["bash", "-euc", block] if language == "bash" else [sys.executable, "-c", block]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True,
                              text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    return said


def test_every_command_of_the_tutorial_runs(tmp_path):
    before, _, after = (ROOT / "docs/tutorial.md").read_text().partition(OBSERVED)
    said = run_blocks(before + after.partition("\n## ")[2], tmp_path)
    peak = float(re.search(r"peak ([\d.]+) \+-", said)[1])
    assert peak == pytest.approx(0.3, abs=0.05)
    assert "has no source at the target in its difference image" in said
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"overview.pdf",
                                                                       "dynspec_V.png"}


def test_the_tutorials_observed_pulsar_has_the_polarization_that_askapsoft_finds(shared_data,
                                                                                tmp_path):
    chapter = (ROOT / "docs/tutorial.md").read_text().partition(OBSERVED)[2]
    said = run_blocks(chapter.partition("\n## ")[0], tmp_path, DATA=str(shared_data / "ms"))
    assert "X and Y of early ASKAP data are swapped" in said
    fraction, angle = map(float, re.search(r"L/I ([\d.]+) .*, angle ([\d.]+)", said).groups())
    assert fraction == pytest.approx(np.hypot(0.28, 1.89) / 2.65, abs=0.01)
    assert angle == pytest.approx(np.degrees(np.arctan2(1.89, 0.28)) / 2, abs=0.5)


def test_python_beside_the_clone_finds_the_package_and_not_the_folder(tmp_path):
    (tmp_path / "visds").mkdir()
    subprocess.run([sys.executable, "-c", "from visds import DynamicSpectrum"], cwd=tmp_path,
                   check=True)
