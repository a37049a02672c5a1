"""The flag bits: one registry for visibilities and for cells of a dynamic spectrum.

A visibility with any bit set is not used; its bits are a byte. A cell of a dynamic spectrum carries
the bits of all visibilities that were left out of it, and those of the cuts that the user asked
for, which stand beside the data and never in their place. Its value is NaN only where a bit of
`CELL_MASK` is set.
"""

import enum


class Flag(enum.IntFlag):
    """Reasons not to use a visibility or a cell."""

    MEASUREMENT_SET = 1
    NOT_FINITE = 2
    ZERO_WEIGHT = 4
    ABSENT = 8
    UV_RANGE = 16
    CLIP_I = 32
    CLIP_V = 64
    RFI = 128
    EMPTY = 256
    REGION = 512
    SIGN_V = 1024
    WEAK_POLARIZATION = 2048
    OVER_POLARIZED = 4096
    FLUX_LIMIT = 8192
    COUPLED = 16384

    @property
    def description(self) -> str:
        """What the bit says, in half a sentence."""
        return DESCRIPTIONS[self]


DESCRIPTIONS = {
    Flag.MEASUREMENT_SET: "flagged in the measurement set (FLAG or FLAG_ROW)",
    Flag.NOT_FINITE: "the visibility is NaN or infinite",
    Flag.ZERO_WEIGHT: "the weight is zero, negative or not finite",
    Flag.ABSENT: "the measurement set has no row for this baseline and time",
    Flag.UV_RANGE: "outside --uv-min, --uv-max",
    Flag.CLIP_I: "Stokes I of the visibility beyond --clip-i",
    Flag.CLIP_V: "Stokes V of the visibility beyond --clip-v",
    Flag.RFI: "found by --flagger",
    Flag.EMPTY: "no visibility is left in the cell (or none of the polarization's correlations)",
    Flag.REGION: "inside a region that the user flagged",
    Flag.SIGN_V: "a cut: Stokes V of a sign that was not expected",
    Flag.WEAK_POLARIZATION: "a cut: bright, but polarized by less than the least",
    Flag.OVER_POLARIZED: "a cut: circularly polarized by more than a limit",
    Flag.FLUX_LIMIT: "a cut: flux density beyond a limit",
    Flag.COUPLED: "the other correlation of its pair is left out (counted in statistics only)",
}

CELL_MASK = Flag.EMPTY | Flag.REGION
