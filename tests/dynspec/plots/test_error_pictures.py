"""Each of the three errors has a name and can be drawn beside what the flux density has."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.quantity import quantity


@pytest.mark.parametrize("name", ["sigma_formal", "sigma_empirical"])
def test_errors_are_those_of_the_spectrum_in_jansky_and_have_no_sign(name):
    data = spectrum(np.ones((5, 4, 4)))
    shown = quantity(f"{name}:V")
    np.testing.assert_array_equal(shown.values(data), getattr(data, name)[..., 3])
    assert (shown.name, shown.file_name) == (f"{name}:V", f"{name}_V")
    assert shown.is_flux and not shown.is_signed and "Stokes V" in shown.label
    assert quantity(name).polarization == "I"


def test_the_robust_error_is_the_standard_one_enlarged():
    class Enlarged(DynamicSpectrum):
        sigma_robust = property(lambda self: 2 * self.sigma)

    data = Enlarged(**vars(spectrum(np.ones((5, 4, 4)))))
    np.testing.assert_array_equal(quantity("sigma_robust:Q").values(data),
                                  2 * quantity("sigma:Q").values(data))


def test_a_hand_has_a_standard_error_only():
    with pytest.raises(SettingsError, match="'sigma_formal:RR' is not a quantity"):
        quantity("sigma_formal:RR")
    assert quantity("sigma:RR").needed == ("I", "V")
