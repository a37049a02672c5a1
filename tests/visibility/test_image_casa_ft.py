"""Images predicted as casatasks.ft predicts them, as far as that goes."""

import numpy as np
import pytest
from casacore import images, tables

from visds.core.casa import run_task
from visds.visibility.sky_model.gridded import image_visibilities
from visds.visibility.sky_model.readers.casa_image import read_casa_image

BORDER = 768


@pytest.fixture(scope="module")
def predicted(simulated, tmp_path_factory):
    """Return uvw, frequencies, the image, and what casatasks.ft makes of it."""
    folder = tmp_path_factory.mktemp("ft")
    products = simulated(array="VLA-D", sources=8, taylor_terms=2, radius="10arcmin",
                         cell="4arcsec", copy_to=folder)
    names = [str(folder / f"wide.tt{k}") for k in range(2)]
    for source, name in zip(products.images, names, strict=True):
        _with_border(str(source), name)
    path = str(products.measurement_set)
    run_task("ft", {"vis": path, "model": names, "nterms": 2, "usescratch": True}, folder,
             folder / "ft.log")
    with tables.table(path, ack=False) as table:
        uvw, model = table.getcol("UVW"), table.getcol("MODEL_DATA")
    with tables.table(f"{path}/SPECTRAL_WINDOW", ack=False) as table:
        frequency = table.getcell("CHAN_FREQ", 0)
    image, _ = read_casa_image(products.images[0])
    return uvw, frequency, image, 0.5 * (model[..., 0] + model[..., -1])


def _with_border(source, name):
    with tables.table(source, ack=False) as table:
        pixels, keywords = table.getcell("map", 0), table.getkeywords()
    pixels = np.pad(pixels, [(0, 0), (0, 0), (BORDER, BORDER), (BORDER, BORDER)])
    image = images.image(name, shape=pixels.shape)
    image.putdata(pixels)
    del image
    keywords["coords"]["direction0"]["crpix"] += BORDER
    with tables.table(name, readonly=False, ack=False) as table:
        table.putkeyword("coords", keywords["coords"])
        table.putkeyword("units", "Jy/pixel")


def _difference(predicted, w):
    """Return the largest and the rms difference from CASA, as fractions of the brightest."""
    uvw, frequency, image, theirs = predicted
    ours = image_visibilities(uvw * [1, 1, w], frequency, image.tangent, image, epsilon=1e-6)[0]
    difference = np.abs(ours - theirs) / np.abs(ours).max()
    return difference.max(), np.sqrt(np.mean(difference**2))


def test_ft_has_the_same_signs_scale_and_taylor_terms_but_no_w(predicted):
    """The task takes the kernel of its gridder from a table of 100 entries a uv cell.

    So it errs by up to pi/200 times the place of a source between the image's centre and its edge:
    a wide border of zeros is set around the image, and what is left is 0.2 %.
    """
    largest, rms = _difference(predicted, w=0)
    assert largest < 4e-3 and rms < 1.5e-3


def test_the_w_that_ft_leaves_out_counts_in_a_field_of_twenty_arcminutes(predicted):
    assert _difference(predicted, w=1)[0] > 0.03
