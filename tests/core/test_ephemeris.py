"""Bodies of the solar system are where astropy and CASA see them from the observatory."""

import struct
import sys

import numpy as np
import pytest
from astropy.coordinates import GCRS, ICRS, EarthLocation, SkyCoord, get_body
from astropy.time import Time

from visds.core.astrometry import separation_arcsec, unit_vectors
from visds.core.casa import load_casatools
from visds.core.ephemeris import track
from visds.core.errors import SettingsError

VLA = np.array([-1601185.4, -5041977.5, 3554875.9])
ATCA = np.array([-4750915.8, 2792906.2, -3200483.7])
AU_KM = 149597870.7
# UT1 and UTC were 12 ms apart.
MJD = 59945.3


def arcsec(track_of, time, ra, dec):
    here = unit_vectors(*track_of.at(np.atleast_1d(time)))
    return separation_arcsec(here, unit_vectors(np.atleast_1d(ra), np.atleast_1d(dec)))


@pytest.mark.parametrize(("body", "mas"), [("sun", 1), ("mars", 1), ("jupiter", 1),
                                           ("neptune", 1), ("moon", 20)])
@pytest.mark.parametrize("position", [VLA, ATCA])
def test_a_body_is_where_astropy_has_it_once_aberration_is_taken_off(body, mas, position):
    here = EarthLocation.from_geocentric(*position, unit="m")
    time = Time([MJD, MJD + 0.21], format="mjd", scale="utc")
    # Polar motion and UT1, left out here, are 20 m and 6 m: at the Moon 14 mas.
    time.delta_ut1_utc = 0.0
    apparent = get_body(body, time, here, ephemeris="builtin")
    # Among the stars: GCRS back to ICRS as for a direction without a distance.
    frame = GCRS(obstime=apparent.obstime, obsgeoloc=apparent.obsgeoloc,
                 obsgeovel=apparent.obsgeovel)
    among_stars = SkyCoord(apparent.ra, apparent.dec, frame=frame).transform_to(ICRS())
    found = track(body, MJD, MJD + 0.21, position)
    away = arcsec(found, time.mjd, among_stars.ra.deg, among_stars.dec.deg)
    assert away.max() < mas / 1000


@pytest.mark.parametrize("body", ["sun", "moon", "mercury", "venus"])
def test_a_body_is_where_casa_puts_it_in_j2000(body):
    """The frame of phase centres: without the 20 arcsec of aberration that moves it and stars.

    CASA (DE200) leaves out where the observatory is on the Earth.
    """
    measures = load_casatools().measures()
    measures.doframe(measures.epoch("UTC", f"{MJD!r}d"))
    seen = measures.measure(measures.direction(body.upper()), "J2000")
    ra, dec = (np.degrees(seen[axis]["value"]) for axis in ("m0", "m1"))
    away = arcsec(track(body, MJD - 0.1, MJD + 0.1, np.zeros(3)), MJD, ra % 360, dec)
    assert away[0] < {"sun": 0.1, "moon": 10, "mercury": 2, "venus": 2}[body]


@pytest.mark.parametrize("body", ["moon", "mercury"])
def test_between_the_times_of_its_track_a_body_is_right_to_a_mas(body):
    whole = track(body, MJD, MJD + 0.3, VLA)
    time = np.linspace(MJD, MJD + 0.3, 23)
    # Each from a track of its own, a node of which is in the middle.
    alone = [track(body, t, t, VLA) for t in time]
    ra, dec = (np.array([getattr(one, axis)[2] for one in alone]) for axis in ("ra", "dec"))
    assert [one.time[2] for one in alone] == time.tolist()
    assert arcsec(whole, time, ra, dec).max() < 1e-3


def test_the_moon_is_a_degree_elsewhere_from_the_other_side_of_the_earth():
    time = np.array([MJD])
    there = track("moon", MJD, MJD, ATCA).at(time)
    assert 1000 < arcsec(track("moon", MJD, MJD, VLA), time, *there)[0] < 7200


def test_a_track_covers_the_times_it_was_asked_for_and_no_more_than_it_needs():
    made = track("jupiter", MJD, MJD + 0.5, VLA)
    assert made.time[0] < MJD - 100 / 86400 and made.time[-1] > MJD + 0.5 + 100 / 86400
    assert len(made.time) < 150
    assert len(track("jupiter", MJD, MJD, VLA).time) >= 4


def test_without_the_package_that_reads_ephemerides_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jplephem", None)
    with pytest.raises(SettingsError, match=r"needs jplephem.*pip install 'visds\[ephemeris\]'"):
        track("mars", MJD, MJD, VLA, "de440.bsp")


def test_a_file_that_is_no_ephemeris_is_one_line(tmp_path, monkeypatch):
    """Not even one named as those of the JPL is fetched from the network."""
    pytest.importorskip("jplephem")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"cannot read de440\.bsp: No such file"):
        track("mars", MJD, MJD, VLA, "de440.bsp")
    (tmp_path / "de440.bsp").write_bytes(b"no ephemeris" * 200)
    with pytest.raises(SettingsError, match=r"cannot be used for earth at MJD 59945\.3") as caught:
        track("mars", MJD, MJD, VLA, "de440.bsp")
    assert "\n" not in str(caught.value)


def test_a_file_of_the_jpl_gives_the_places_that_it_holds(tmp_path):
    pytest.importorskip("jplephem")
    path = tmp_path / "made.bsp"
    # A sun at rest at the barycentre, an Earth at rest 1 au away, Mars beyond it and higher.
    write_spk(path, {(0, 10): (0, 0, 0), (0, 3): (AU_KM, 0, 0), (3, 399): (0, 0, 0),
                     (0, 4): (AU_KM, 3e8, 4e8)})
    made = track("mars", MJD, MJD + 0.1, np.zeros(3), path)
    assert made.middle.ra == pytest.approx(90, abs=1e-9)
    assert made.middle.dec == pytest.approx(np.degrees(np.arctan2(4, 3)), abs=1e-9)
    assert track("sun", MJD, MJD, np.zeros(3), path).middle.ra == pytest.approx(180, abs=1e-9)
    with pytest.raises(SettingsError, match=r"does not hold venus .*segment from 0 to 2"):
        track("venus", MJD, MJD, np.zeros(3), path)
    with pytest.raises(SettingsError, match="cannot be used for earth at MJD 51544"):
        track("mars", 51544.0, 51544.0, np.zeros(3), path)


def write_spk(path, places):
    """Write an SPK file (NAIF's DAF, segments of type 2) of bodies at rest, km, around MJD."""
    middle, radius = (MJD - 51544.5) * 86400, 30 * 86400.0
    data, summaries, word = b"", b"", 3 * 128 + 1
    for (centre, target), place in places.items():
        # One record: middle, radius, and for x, y, z a Chebyshev series of the orders 0 and 1.
        values = [middle, radius, *(v for x in place for v in (x, 0.0)),
                  middle - radius, 2 * radius, 8, 1]
        data += struct.pack(f"<{len(values)}d", *values)
        summaries += struct.pack("<2d6i", middle - radius, middle + radius, target, centre, 1, 2,
                                 word, word + len(values) - 1)
        word += len(values)
    head = struct.pack("<8sii60siii8s", b"DAF/SPK ", 2, 6, b"made".ljust(60), 2, 2, word,
                       b"LTL-IEEE")
    ftp = b"FTPSTR:\r:\n:\r\n:\r\x00:\x81:\x10\xce:ENDFTP"
    head = (head.ljust(699, b"\0") + ftp).ljust(1024, b"\0")
    records = struct.pack("<3d", 0, 0, len(places)) + summaries
    path.write_bytes(head + records.ljust(1024, b"\0") + b" " * 1024
                     + data.ljust(-(-len(data) // 1024) * 1024, b"\0"))
