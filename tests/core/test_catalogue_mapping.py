"""The words of a column mapping."""

import pytest

from visds.core.catalogue_mapping import Mapped, column_mapping, unit_factor
from visds.core.errors import CatalogueError


def test_a_number_is_given_with_its_unit_or_without():
    columns = column_mapping("ra_error=0.5arcsec,dec_error=0.5:arcsec,epoch=2016.0").columns
    assert columns["ra_error"] == columns["dec_error"] == Mapped(number=0.5, unit="arcsec")
    assert columns["epoch"] == Mapped(number=2016.0)


def test_what_begins_like_a_number_but_has_no_unit_of_its_kind_is_a_column():
    assert column_mapping("flux_density=150MHz_flux").columns["flux_density"] == Mapped(
        column="150MHz_flux")


def test_names_may_be_others_than_those_of_a_catalogue():
    kinds = {"reference_frequency": "frequency"}
    mapped = column_mapping("reference_frequency=1.4e0GHz", kinds).columns["reference_frequency"]
    assert mapped.number * unit_factor(mapped.unit, "frequency") == 1.4e9
    with pytest.raises(CatalogueError, match="no 'epoch'"):
        column_mapping("epoch=2016.0", kinds)
