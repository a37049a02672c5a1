"""Deconvolution by CASA's tclean, on a scratch copy of Stokes visibilities.

Multi-term multi-frequency synthesis (Rau & Cornwell 2011) where there are several Taylor terms,
Högbom's clean (1974) or, with scales, multi-scale clean (Cornwell 2008) where there is one.
"""

import contextlib
import math
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.casa import TaskError, load_casatools, run_task
from visds.core.errors import ImagingError
from visds.core.flux_text import flux_text
from visds.core.plural import counted
from visds.imaging.clean_settings import CleanSettings
from visds.imaging.geometry import Geometry
from visds.imaging.image import Beam
from visds.imaging.restoring_beam import fit_beam
from visds.imaging.scratch_set import Observatory, ScratchSet, write_scratch_set
from visds.imaging.stokes_visibility import StokesVisibilities
from visds.imaging.weighting import Weighting

PHASE_ERROR = 0.1
"""Largest error of a phase (rad) at the edge of an image for which w is neglected."""

# Where a region begins, in units of the noise and of the highest sidelobe of the brightest
# residual. tclean's 3 for the latter asks for a response with low sidelobes: with those of 0.3 of
# a small array it masks nothing below 0.9 of the peak, and then prunes that.
_NOISE_THRESHOLD, _SIDELOBE_THRESHOLD = 5.0, 1.5
_EVERYWHERE_SIGMA = 5.0
# A response reaches half the image from its source; beyond that the sidelobes of a source off
# centre stay until the next major cycle. Those of a thin uv coverage are as high as the peak, and
# tclean's own 1 and 0.8 let it take them for sources.
_CYCLE_FACTOR, _MAX_PSF_FRACTION = 1.5, 0.95
_LONGEST_BEAM = 0.5  # of the width of the image
_ALIKE = 0.05
_ZERO_MASK = 7  # of tclean's stop codes
_DIVERGED = (5, 6)
_ITERATIONS, _THRESHOLD, _STUCK, _SIGMA = 1, 2, 4, 8
_MASKED = (_THRESHOLD, _STUCK, _ZERO_MASK, _SIGMA)
"""Codes after which there may be more to clean outside of a mask."""
_KINDS = ("image", "model", "residual", "psf", "sumwt", "pb")
_WATCH_EVERY = 0.5


@dataclass(frozen=True)
class CleanImages:
    """The images that tclean left: `prefix` followed by .model.tt0, .residual.tt0 and so on.

    `terms` is the number of Taylor terms, `reference_frequency` theirs, Hz; `iterations` and
    `major_cycles` were needed; `reason` is why clean stopped, in words. `rms` is the
    robust rms of the residual image and `peak` its largest modulus, Jy/beam. `gridder` is
    "wproject" where w counts, else "standard".
    """

    prefix: Path
    geometry: Geometry
    terms: int
    reference_frequency: float
    beam: Beam
    iterations: int
    major_cycles: int
    reason: str
    rms: float
    peak: float
    gridder: str

    def summary(self) -> str:
        """Return how it was cleaned, in words."""
        left = self.peak / self.rms if self.rms else math.nan
        return (f"{counted(self.iterations, 'iteration')}: {self.reason}; peak of the residual "
                f"{left:.1f} rms")

    def path(self, kind: str, term: int = 0) -> Path:
        """Return where an image is: image, model, residual or psf of a Taylor term; mask."""
        return Path(f"{self.prefix}.{kind}" + ("" if kind == "mask" else f".tt{term}"))

    def read(self, kind: str, term: int = 0) -> np.ndarray:
        """Return the pixels (Y,X) of an image: Jy/pixel of a model, else Jy/beam."""
        return _pixels(self.path(kind, term))


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A deconvolved image of one Stokes parameter.

    `image` (restored) and `residual` (Y,X) Jy/beam, `model` (Y,X) Jy/pixel, `response` (Y,X) to a
    point source of 1 Jy; how it was cleaned, in words.
    """

    image: np.ndarray
    residual: np.ndarray
    model: np.ndarray
    response: np.ndarray
    beam: Beam
    summary: str


def clean_image(groups: Iterable[StokesVisibilities], geometry: Geometry, weighting: Weighting,
                settings: CleanSettings, *, observatory: Observatory, mjd: float, frame: str,
                scratch: Path, say: Callable[[str], None] | None = None) -> Cleaned:
    """Return the deconvolved image of the first Stokes parameter of groups of visibilities.

    Parameters
    ----------
    groups : iterable of StokesVisibilities
        About the geometry's centre, as `gather` makes them; model-subtracted ones give an image
        of what is left.
    geometry : Geometry
    weighting : Weighting
    settings : CleanSettings
    observatory : Observatory
    mjd, frame
        Middle of the observation, MJD UTC, and frame of the frequencies.
    scratch : Path
        Folder in which a folder of this image's own is made, and removed in the end.
    say : callable, optional
        Is told what tclean is at.

    Raises
    ------
    ImagingError
        If there is nothing to image, or tclean cannot.
    """
    with tempfile.TemporaryDirectory(prefix=".clean-", dir=scratch) as name:
        folder = Path(name)
        data = write_scratch_set(folder / "scratch.ms", groups, centre=geometry.centre,
                                 observatory=observatory, mjd=mjd, frame=frame)
        images = clean(data, folder / "image", geometry, weighting, settings, say=say)
        return Cleaned(image=images.read("image"), residual=images.read("residual"),
                       model=images.read("model"), response=images.read("psf"),
                       beam=images.beam, summary=images.summary())


def clean(data: ScratchSet, prefix: Path, geometry: Geometry, weighting: Weighting,
          settings: CleanSettings, *, terms: int = 1, log: Path | None = None,
          say: Callable[[str], None] | None = None) -> CleanImages:
    """Clean the image of a scratch set, and leave tclean's images as `prefix` followed by a kind.

    With the mask "auto" of the settings, an image in which tclean's auto-multithresh leaves
    something that stands out, because it is hardly above the sidelobes of others, is cleaned
    everywhere in the end, to 5 sigma at least. `say` is told what tclean is at, a line for each
    major cycle.

    Raises
    ------
    ImagingError
        If tclean fails, with its reason, or if the uv coverage is too thin to clean.
    """
    folder = prefix.parent.absolute()
    log = (log or folder / "casa.log").absolute()
    prefix = folder / prefix.name
    gridder = "wproject" if needs_w(data, geometry) else "standard"
    options = _options(data, prefix, geometry, weighting, settings, terms, gridder)
    if settings.niter and settings.clean_mask == "auto":
        options |= {"usemask": "auto-multithresh", "noisethreshold": _NOISE_THRESHOLD,
                    "sidelobethreshold": _SIDELOBE_THRESHOLD,
                    # Of Stokes I no source is negative.
                    "negativethreshold": 0.0 if data.stokes == "I" else _NOISE_THRESHOLD}
    log.touch()
    with _watched(log, say):
        result = _tclean(options, prefix, log)
        rms, peak = _noise(prefix)
        iterations, cycles = int(result["iterdone"]), int(result["nmajordone"])
        if (options["usemask"] != "user" and result["stopcode"] in _MASKED
                and peak > max(_EVERYWHERE_SIGMA * rms, settings.clean_threshold)):
            if say:
                say(f"{peak / rms:.1f} rms are left outside of the regions that tclean's mask "
                    "finds: cleaning everywhere")
            shutil.rmtree(f"{prefix}.mask", ignore_errors=True)  # it would be used again
            options |= {"usemask": "user", "calcpsf": False, "calcres": False,
                        "niter": settings.niter - iterations,
                        "nsigma": max(settings.clean_sigma, _EVERYWHERE_SIGMA)}
            result = _tclean(options, prefix, log)
            rms, peak = _noise(prefix)
            iterations += int(result["iterdone"])
            cycles += int(result["nmajordone"])
    if result["stopcode"] in _DIVERGED:
        raise ImagingError(
            f"clean diverges ({result['stopDescription']}): the uv coverage is too thin for this "
            "image; --taylor-terms 1, a smaller image or a higher --clean-sigma may do")
    fitted = _fitted_beam(prefix, geometry)
    frequency, beam = _header(Path(f"{prefix}.image.tt0"))
    if not _is_alike(fitted, beam):
        _restore(options, fitted, prefix, log)
        beam = fitted
    return CleanImages(
        prefix=prefix, geometry=geometry, terms=terms, reference_frequency=frequency,
        beam=beam, iterations=iterations, major_cycles=cycles,
        reason=_reason(result, settings, options), rms=rms, peak=peak, gridder=gridder)


def needs_w(data: ScratchSet, geometry: Geometry) -> bool:
    """Whether the term w (n - 1) turns phases at the edge of an image by more than `PHASE_ERROR`.

    There 2 pi w (1 - n) is pi w theta^2 to first order (Cornwell, Golap & Bhatnagar 2008, eq. 2).
    """
    edge = np.radians(geometry.width / 2)
    return bool(np.pi * data.highest_w * edge**2 > PHASE_ERROR)


def _options(data: ScratchSet, prefix: Path, geometry: Geometry, weighting: Weighting,
             settings: CleanSettings, terms: int, gridder: str) -> dict:
    taper = [f"{3600 * weighting.taper!r}arcsec"] if weighting.taper else []
    return {
        "vis": str(data.path.absolute()), "imagename": str(prefix), "datacolumn": "data",
        "imsize": [geometry.size] * 2, "cell": [f"{3600 * geometry.cell!r}arcsec"],
        "stokes": "I", "specmode": "mfs", "outframe": data.frame, "nterms": terms,
        "deconvolver": _deconvolver(terms, settings), "scales": list(settings.clean_scales),
        "gridder": gridder, "wprojplanes": -1 if gridder == "wproject" else 1,
        "weighting": weighting.scheme, "robust": weighting.robust, "uvtaper": taper,
        "niter": settings.niter, "nsigma": settings.clean_sigma,
        "threshold": f"{settings.clean_threshold!r}Jy", "usemask": "user",
        "cyclefactor": _CYCLE_FACTOR, "maxpsffraction": _MAX_PSF_FRACTION,
        "pblimit": -1e-6, "pbcor": False, "parallel": False}


def _reason(result: dict, settings: CleanSettings, options: dict) -> str:
    """Return why clean stopped, in words; tclean's own where there are none."""
    if not settings.niter:
        return "no iterations were asked for"
    return {
        _ITERATIONS: f"all {settings.niter} iterations were made",
        _THRESHOLD: f"reached {flux_text(settings.clean_threshold)}",
        _STUCK: "the peak of the residual did not change over two major cycles",
        _ZERO_MASK: "nothing stands out to be cleaned",
        _SIGMA: f"reached {options['nsigma']:g} rms"
        + (" within its mask" if options["usemask"] != "user" else ""),
    }.get(result["stopcode"], str(result["stopDescription"]))


def _deconvolver(terms: int, settings: CleanSettings) -> str:
    """Return tclean's name of the algorithm.

    mtmfs subtracts in its minor cycle a part of the response only, and diverges where sidelobes
    of a thin uv coverage outside that part are high; hogbom subtracts all of it.
    """
    if terms > 1:
        return "mtmfs"
    return "hogbom" if settings.clean_scales == (0,) else "multiscale"


def _tclean(options: dict, prefix: Path, log: Path) -> dict:
    """Run tclean and name its images as those of Taylor terms, where it does not."""
    is_multi_term = options["deconvolver"] == "mtmfs"
    if not is_multi_term:
        _rename(prefix, ".tt0", "")
    try:
        result = run_task("tclean", options, prefix.parent, log)
    except TaskError as error:
        raise ImagingError(str(error)) from error
    if not result:
        raise ImagingError("tclean has made no image")
    if not is_multi_term:
        _rename(prefix, "", ".tt0")
    return result


def _fitted_beam(prefix: Path, geometry: Geometry) -> Beam:
    """Return the beam fitted to tclean's response.

    tclean's own fit fails silently, with a beam of 1e-6 arcsec, or takes sidelobes for the lobe
    where the coverage is thin.
    """
    beam = fit_beam(_pixels(Path(f"{prefix}.psf.tt0")), geometry.cell)
    if beam is None or beam.major > _LONGEST_BEAM * geometry.width:
        raise ImagingError(
            "the uv coverage is too thin to clean this image: the response to a point source has "
            "a main lobe longer than half the image, along which no flux density can be placed; "
            "a longer interval or a larger --size may do, or no clean: point sources are fitted "
            "in dirty images too")
    return beam


def _is_alike(beam: Beam, other: Beam) -> bool:
    """Whether the widths of two beams differ by less than `_ALIKE` in every direction."""
    forms = []
    for a, b, c in (beam.quadratic(), other.quadratic()):
        forms.append(np.array([[a, b / 2], [b / 2, c]]))
    ratios = np.linalg.eigvals(np.linalg.solve(*forms)).real
    return bool(np.abs(np.sqrt(np.maximum(ratios, 0)) - 1).max() < _ALIKE)


def _restore(options: dict, beam: Beam, prefix: Path, log: Path) -> None:
    """Restore the image once more, with another beam."""
    shape = [f"{3600 * beam.major!r}arcsec", f"{3600 * beam.minor!r}arcsec",
             f"{beam.position_angle!r}deg"]
    _tclean(options | {"niter": 0, "usemask": "user", "calcpsf": False, "calcres": False,
                       "restoringbeam": shape}, prefix, log)


def _rename(prefix: Path, ending: str, to: str) -> None:
    for kind in _KINDS:
        if os.path.isdir(f"{prefix}.{kind}{ending}"):
            os.replace(f"{prefix}.{kind}{ending}", f"{prefix}.{kind}{to}")


def _noise(prefix: Path) -> tuple[float, float]:
    """Return the robust rms and the largest modulus of the residual image."""
    residual = _pixels(Path(f"{prefix}.residual.tt0"))
    middle = np.median(residual)
    return 1.4826 * float(np.median(np.abs(residual - middle))), float(np.abs(residual).max())


def _pixels(path: Path) -> np.ndarray:
    image = load_casatools().image()
    image.open(str(path))
    try:
        return np.ascontiguousarray(image.getchunk()[:, :, 0, 0].T)
    finally:
        image.close()


def _header(path: Path) -> tuple[float, Beam]:
    """Return reference frequency (Hz) and beam of an image."""
    image = load_casatools().image()
    image.open(str(path))
    try:
        beam = image.restoringbeam()
        system = image.coordsys()
        frequency = system.referencevalue("n", "spectral")["numeric"][0]
        system.done()
    finally:
        image.close()
    widths = [beam[name]["value"] / 3600 for name in ("major", "minor")]
    return float(frequency), Beam(*widths, beam["positionangle"]["value"])


@contextlib.contextmanager
def _watched(log: Path, say: Callable[[str], None] | None) -> Iterator[None]:
    """Tell `say` meanwhile what tclean writes to its log about major cycles."""
    if say is None:
        yield
        return
    with open(log) as file:
        file.seek(0, 2)
        ended = threading.Event()

        def watch() -> None:
            told = _Told(say)
            while True:
                last = ended.wait(_WATCH_EVERY)
                told.read(file.read())
                if last:
                    return

        thread = threading.Thread(target=watch, name="tclean's log", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class _Told:
    """What tclean's log says about its cycles, told as one line each."""

    _CYCLE = re.compile(r"Run Major Cycle (\d+)")
    _PEAK = re.compile(r"Peak residual within mask : [\d.e+-]+, over full image : ([\d.e+-]+)")
    _MODEL = re.compile(r"model=[\d.e+-]+->([\d.e+-]+)")

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._unread = ""
        self._cycle, self._model = 0, 0.0
        self._told = 0

    def read(self, text: str) -> None:
        """Take what is new in the log."""
        *lines, self._unread = (self._unread + text).split("\n")
        for line in lines:
            if match := self._CYCLE.search(line):
                self._cycle = int(match[1])
            elif match := self._MODEL.search(line):
                self._model = float(match[1])
            elif (match := self._PEAK.search(line)) and self._cycle != self._told:
                self._told = self._cycle
                self._say(f"major cycle {self._cycle}: {self._model:.4g} Jy in the model, peak "
                          f"residual {float(match[1]):.3g} Jy/beam")
