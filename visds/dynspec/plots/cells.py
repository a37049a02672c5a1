"""The cells of a dynamic spectrum on the paper: true edges, gaps left out, nothing subsampled."""

from collections.abc import Iterator, Mapping

import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.image import PcolorImage

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.time_axis import DAY, TimeAxis, cell_widths

Edges = tuple[np.ndarray, np.ndarray]


def rebin_times(spectrum: DynamicSpectrum, time_axis: TimeAxis, *, width: float,
                resolution: int) -> DynamicSpectrum:
    """Return the spectrum in integrations of at least a pixel, by weighted sums.

    `width` of the picture in inches, `resolution` in pixels per inch.
    """
    times = column_length(spectrum, time_axis, width=width, resolution=resolution)
    return spectrum.rebin(time=times) if times > 1 else spectrum


def column_length(spectrum: DynamicSpectrum, time_axis: TimeAxis, *, width: float,
                  resolution: int) -> int:
    """Return how many integrations `rebin_times` sums to a column of the picture."""
    seconds = time_axis.length / (width * resolution)
    return max(1, int(np.ceil(seconds / np.median(cell_widths(spectrum)) - 0.01)))


def rebin_channels(spectrum: DynamicSpectrum, *, length: float, height: float,
                   resolution: int) -> DynamicSpectrum:
    """Return the spectrum in channels of at least a pixel, by weighted sums.

    `length` of the frequency axis in Hz, shortened gaps as they are drawn, `height` of the picture
    in inches, `resolution` in pixels per inch.
    """
    hertz = length / (height * resolution)
    channels = int(np.ceil(hertz / np.median(spectrum.channel_width) - 0.01))
    return spectrum.rebin(channel=channels) if channels > 1 else spectrum


def time_edges(spectrum: DynamicSpectrum, time_axis: TimeAxis) -> Edges:
    """Return both edges of every integration's cell (T), as coordinates along the paper.

    The cells are as wide as `visds.dynspec.plots.time_axis.cell_widths` says.
    """
    centre = time_axis.from_utc(spectrum.time)
    half = cell_widths(spectrum) / DAY / 2
    low, high = _closed(centre - half, centre + half)
    low, high = (np.clip(edge, time_axis.start, time_axis.stop) for edge in (low, high))
    return time_axis.place(low), time_axis.place(high)


def visible(edges: Edges, least: float) -> Edges:
    """Return the edges with cells alone between gaps and narrower than `least` widened to it."""
    low, high = edges
    alone = np.append(True, low[1:] > high[:-1]) & np.append(high[:-1] < low[1:], True)
    more = np.where(alone, np.maximum(least - (high - low), 0) / 2, 0.0)
    return low - more, high + more


def frequency_edges(spectrum: DynamicSpectrum) -> Edges:
    """Return lowest and highest edge in Hz of every channel (F)."""
    half = spectrum.channel_width / 2
    return _closed(spectrum.frequency - half, spectrum.frequency + half)


def draw_cells(axes: Axes, x: Edges, y: Edges, values: np.ndarray, *, colour_map: Colormap,
               norm: Normalize, interpolation: str = "none") -> ScalarMappable:
    """Draw values (T,F) between the edges `x` (T) and `y` (F); gaps stay empty.

    NaN stays empty too, but where there is interpolation: that goes among cells with a value, runs
    on into those without, and the caller has to shade these.
    """
    transparent = colour_map.with_extremes(bad=(0, 0, 0, 0))
    if interpolation == "none":
        return _paint(axes, x, y, values, transparent, norm)
    for columns in _even_blocks(*x):
        for rows in _even_blocks(*y):
            axes.imshow(_filled(values[columns, rows]).T, cmap=transparent, norm=norm,
                        aspect="auto", origin="lower", interpolation=interpolation,
                        rasterized=True, zorder=1,
                        extent=(x[0][columns][0], x[1][columns][-1], y[0][rows][0],
                                y[1][rows][-1]))
    return ScalarMappable(norm, transparent)


def shade_cells(axes: Axes, x: Edges, y: Edges, shades: Mapping[str, np.ndarray]) -> None:
    """Fill the cells (T,F; bool) of each colour with it."""
    number = np.full((len(x[0]), len(y[0])), np.nan)
    for place, cells in enumerate(shades.values()):
        number[cells] = place
    _paint(axes, x, y, number, ListedColormap(list(shades)).with_extremes(bad=(0, 0, 0, 0)),
           Normalize(0, len(shades))).set_zorder(2)


def _paint(axes: Axes, x: Edges, y: Edges, values: np.ndarray, colour_map: Colormap,
           norm: Normalize) -> PcolorImage:
    """Draw values (T,F) as an image; it samples the cells, which are a pixel or more."""
    x_edges, columns = _with_gaps(*x)
    y_edges, rows = _with_gaps(*y)
    padded = np.pad(np.asarray(values, float), ((0, 1), (0, 1)), constant_values=np.nan)
    image = PcolorImage(axes, x_edges, y_edges, padded[np.ix_(columns, rows)].T, cmap=colour_map,
                        norm=norm, zorder=1)
    axes.add_image(image)
    return image


def _filled(values: np.ndarray) -> np.ndarray:
    """Return values (T,F) with the nearest of them in place of every NaN; all NaN stays so."""
    missing = np.isnan(values)
    if missing.all() or not missing.any():
        return values
    nearest = scipy.ndimage.distance_transform_edt(missing, return_distances=False,
                                                   return_indices=True)
    return values[tuple(nearest)]


def _closed(low: np.ndarray, high: np.ndarray) -> Edges:
    """Return edges that meet halfway where neighbours overlap or nearly touch."""
    low, high = low.copy(), high.copy()
    width = high - low
    near = low[1:] - high[:-1] <= 0.5 * np.minimum(width[1:], width[:-1])
    middle = (low[1:] + high[:-1]) / 2
    low[1:][near] = middle[near]
    high[:-1][near] = middle[near]
    return low, high


def _with_gaps(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ascending edges and the cell between each two of them, -1 for a gap."""
    edges = np.maximum.accumulate(np.stack([low, high], 1).ravel())
    cells = np.stack([np.arange(len(low)), np.full(len(low), -1)], 1).ravel()[:-1]
    empty = edges[1:] <= edges[:-1]
    return np.append(edges[:-1][~empty], edges[-1]), cells[~empty]


def _even_blocks(low: np.ndarray, high: np.ndarray) -> Iterator[slice]:
    """Yield the runs of cells that touch and are equally wide."""
    width = high - low
    new = (low[1:] > high[:-1]) | (np.abs(np.diff(width)) > 0.02 * width[:-1])
    first = np.append(0, np.flatnonzero(new) + 1)
    for i, j in zip(first, np.append(first[1:], len(low)), strict=True):
        yield slice(int(i), int(j))
