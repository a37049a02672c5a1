"""The report of a run: one page of HTML that one works in and that needs nothing but itself."""

from visds.dynspec.report.events import detection_pictures
from visds.dynspec.report.overview import overview_row, overview_table
from visds.dynspec.report.page import write_report
from visds.dynspec.report.report_spectrum import ReportSpectrum
from visds.dynspec.report.tables import (
    empty_integrations,
    polarization_table,
    scan_table,
    variability_table,
)

__all__ = ["ReportSpectrum", "detection_pictures", "empty_integrations", "overview_row",
           "overview_table", "polarization_table", "scan_table", "variability_table",
           "write_report"]
