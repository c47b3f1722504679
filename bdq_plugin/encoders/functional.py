"""Blur, difference and quantisation as pure functions of tensors.

Names carry their dimensions: N clips, C channels, T frames, H rows, W columns, K thresholds.
Source: Kumawat and Nagahara, "Privacy-preserving action recognition via motion difference
quantization", ECCV 2022, section 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera_form import check_blocks
from ..geometry import PLACE_BITS, PLACE_UNIT
from ..randomized_response import WORDS, respond

PADDINGS = ('replicate', 'zeros')


def gaussian_kernel(sigma: float | Tensor, kernel_size: int = 5) -> Tensor:
    """A 1-D Gaussian sampled at whole pixels and normalised to sum 1.

    Args:
        sigma: standard deviation in pixels, above 0; a tensor keeps its gradient.
        kernel_size: number of taps, odd.

    Returns:
        Tensor of shape (kernel_size,).

    Example:
        >>> gaussian_kernel(3.0).shape
        torch.Size([5])
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'kernel_size must be odd and positive, got {kernel_size}')
    sigma = torch.as_tensor(sigma, dtype=None if isinstance(sigma, Tensor) else torch.float32)
    half = kernel_size // 2
    offsets = torch.arange(-half, half + 1, dtype=sigma.dtype, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def pad_frames(x_NCTHW: Tensor, margin: int, padding: str = 'replicate') -> Tensor:
    """Grow every frame by ``margin`` pixels on each side.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W).
        margin: pixels a side, 0 or more.
        padding: ``'replicate'`` repeats the border pixel, ``'zeros'`` fills with 0.

    Returns:
        Tensor of shape (N, C, T, H + 2 margin, W + 2 margin).
    """
    if padding not in PADDINGS:
        raise ValueError(f"unknown padding '{padding}': choose one of {PADDINGS}")
    if margin == 0:
        return x_NCTHW
    flat = x_NCTHW.flatten(0, 1)
    mode = 'replicate' if padding == 'replicate' else 'constant'
    return F.pad(flat, (margin,) * 4, mode=mode).unflatten(0, x_NCTHW.shape[:2])


def separable_filter(x_NCTHW: Tensor, kernel: Tensor, padding: str = 'replicate') -> Tensor:
    """Filter rows and columns of every frame with the same symmetric 1-D kernel.

    Written as shifted multiply-adds, not as a convolution: cuDNN may round the operands of a
    convolution to TF32, and :mod:`bdq_plugin.encoders.integer` needs sums that are
    exact in float32.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point.
        kernel: taps of shape (kernel_size,), odd.
        padding: see :func:`pad_frames`.

    Returns:
        Tensor of the same shape as ``x_NCTHW``.
    """
    half = kernel.numel() // 2
    height, width = x_NCTHW.shape[-2:]
    padded = pad_frames(x_NCTHW, half, padding)
    rows = sum(kernel[i] * padded[..., i : i + width] for i in range(kernel.numel()))
    return sum(kernel[i] * rows[..., i : i + height, :] for i in range(kernel.numel()))


def gaussian_blur(
    x_NCTHW: Tensor, sigma: float | Tensor, kernel_size: int = 5, padding: str = 'replicate'
) -> Tensor:
    """B: blur every frame with a normalised Gaussian, one sigma for all channels.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point, any range.
        sigma: standard deviation in pixels; a tensor receives gradient.
        kernel_size: taps a side, odd.
        padding: ``'replicate'`` (default) or ``'zeros'`` (the released code).

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> gaussian_blur(torch.rand(2, 3, 4, 8, 8), sigma=1.0).shape
        torch.Size([2, 3, 4, 8, 8])
    """
    kernel = gaussian_kernel(sigma, kernel_size).to(x_NCTHW)
    return separable_filter(x_NCTHW, kernel, padding)


def temporal_difference(x_NCTHW: Tensor) -> Tensor:
    """D: the signed difference of each frame to the one before it, T frames to T - 1.

    The versions that roll the clip wrap the first frame onto the last; that frame shows two ghosts
    of the person, so it is never made here.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W) with T of at least 2.

    Returns:
        Tensor of shape (N, C, T - 1, H, W).

    Example:
        >>> temporal_difference(torch.rand(2, 3, 4, 8, 8)).shape
        torch.Size([2, 3, 3, 8, 8])
    """
    if x_NCTHW.shape[2] < 2:
        raise ValueError(f'a difference needs at least 2 frames, got {x_NCTHW.shape[2]}')
    return x_NCTHW[:, :, 1:] - x_NCTHW[:, :, :-1]


def block_mean(x_NCTHW: Tensor, block: int) -> Tensor:
    """The mean of each ``block`` x ``block`` pixels of every frame.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point.
        block: pixels a side; 1 changes nothing.

    Returns:
        Tensor of shape (N, C, T, H / block, W / block).

    Raises:
        ValueError: a side of the frames is no multiple of ``block``.

    Example:
        >>> block_mean(torch.rand(2, 3, 4, 48, 64), 8).shape
        torch.Size([2, 3, 4, 6, 8])
    """
    return x_NCTHW if block == 1 else in_blocks(x_NCTHW, block).mean((-3, -1))


def motion(blurred_NCTHW: Tensor, block: int, difference: bool, dither: float) -> Tensor:
    """A blurred clip as the thresholds meet it: in blocks, differenced, with noise.

    Args:
        blurred_NCTHW: clip of shape (N, C, T, H, W), floating point.
        block: see :func:`block_mean`.
        difference: subtract from each frame the one before.
        dither: standard deviation of the noise, drawn anew in each call.

    Returns:
        Tensor of shape (N, C, T or T - 1, H / block, W / block).
    """
    values = block_mean(blurred_NCTHW, block)
    if difference:
        values = temporal_difference(values)
    return values + dither * torch.randn_like(values) if dither else values


def in_blocks(x: Tensor, block: int) -> Tensor:
    """(..., H, W) as (..., H / block, block, W / block, block); see :func:`block_mean`."""
    check_blocks(*x.shape[-2:], block)
    return x.unflatten(-1, (-1, block)).unflatten(-3, (-1, block))


def resample(x_NCTHW: Tensor, places_NT2HW: Tensor) -> Tensor:
    """Take every pixel from another place of its frame, bilinear; differentiable in ``x``.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point.
        places_NT2HW: whole numbers of shape (N, T or 1, 2, H, W): row and column in 1/64 pixel,
            inside the frame; see :func:`bdq_plugin.geometry.places_of`.

    Returns:
        Tensor of the same shape. Of whole numbers from 0 to 255 it is exact in float32.
    """
    height, width = x_NCTHW.shape[-2:]
    y, x = (places_NT2HW[:, None, :, axis].long() for axis in (0, 1))
    row, column = (y >> PLACE_BITS).clamp(max=height - 1), (x >> PLACE_BITS).clamp(max=width - 1)
    below, beside = (row + 1).clamp(max=height - 1), (column + 1).clamp(max=width - 1)
    down, right = ((at & (PLACE_UNIT - 1)).to(x_NCTHW) / PLACE_UNIT for at in (y, x))
    flat = x_NCTHW.flatten(-2)

    def pixels(row: Tensor, column: Tensor) -> Tensor:
        index = (row * width + column).flatten(-2).expand_as(flat)
        return flat.gather(-1, index).view_as(x_NCTHW)

    upper = (1 - right) * pixels(row, column) + right * pixels(row, beside)
    lower = (1 - right) * pixels(below, column) + right * pixels(below, beside)
    return (1 - down) * upper + down * lower


def spread_thresholds(num_levels: int) -> Tensor:
    """Thresholds spread evenly over [0, num_levels - 1] and symmetric about its middle.

    16 levels give the paper's 0.5, 1.5, ..., 14.5; 2 levels give 0.5, the sign of the difference.

    Returns:
        Tensor of shape (num_levels - 1,), float32.
    """
    if not 2 <= num_levels <= 256:
        raise ValueError(f'num_levels must be between 2 and 256, got {num_levels}')
    return torch.arange(num_levels - 1, dtype=torch.float32) + 0.5


def dead_zone_thresholds(num_levels: int, dead_zone: Tensor) -> Tensor:
    """Thresholds that lie symmetric about a dead zone, those beyond it a level apart.

    Args:
        num_levels: odd, K + 1; or 2, for the size of a value alone.
        dead_zone: from the middle to the first threshold, in units of a level, shape ().

    Returns:
        Tensor of shape (K,), counted from the lowest level.

    Example:
        >>> dead_zone_thresholds(5, torch.tensor(0.5))
        tensor([0.5000, 1.5000, 2.5000, 3.5000])
    """
    if num_levels == 2:
        return dead_zone.view(1)
    half = num_levels // 2
    side = dead_zone + torch.arange(half, dtype=dead_zone.dtype, device=dead_zone.device)
    return torch.cat([half - side.flip(0), half + side])


def soft_levels(u: Tensor, thresholds_K: Tensor, hardness: float | Tensor) -> Tensor:
    """A sum of K sigmoids: a staircase with rounded steps.

    Args:
        u: values in units of a level, any shape.
        thresholds_K: shape (K,), in the same units.
        hardness: slope H of each sigmoid; the paper's code uses 5.

    Returns:
        Tensor shaped like ``u``, between 0 and K.
    """
    return sum(torch.sigmoid(hardness * (u - threshold)) for threshold in thresholds_K)


def hard_levels(u: Tensor, thresholds_K: Tensor) -> Tensor:
    """The number of thresholds that lie strictly below ``u``: whole numbers from 0 to K.

    Returns:
        Tensor shaped like ``u`` and of its dtype, without gradient.
    """
    return count_below(u.detach(), thresholds_K.detach().to(u)).to(u.dtype)


def count_below(values: Tensor, thresholds_K: Tensor) -> Tensor:
    """How many thresholds lie strictly below each value.

    Args:
        values: any shape, all of them numbers.
        thresholds_K: shape (K,), K at most 255, in any order.

    Returns:
        uint8 tensor shaped like ``values``.
    """
    return torch.bucketize(values.contiguous(), thresholds_K.sort().values).to(torch.uint8)


def data_range(x: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of each clip or of all, broadcasting against ``x``.

    Args:
        x: values of shape (N, ...).
        kind: ``'clip'`` for ends of shape (N, 1, ...), ``'batch'`` for ends of shape ().
    """
    if kind == 'batch':
        return x.min(), x.max()
    axes = tuple(range(1, x.ndim))
    return x.amin(axes, keepdim=True), x.amax(axes, keepdim=True)


def refuse_nan(x: Tensor, what: str) -> None:
    """Raise ValueError where a value is no number: whole levels have none for it."""
    if x.isnan().any():
        raise ValueError(f'{what} holds {int(x.isnan().sum())} values that are no number (NaN)')


def to_levels(
    x: Tensor, low: Tensor, high: Tensor, steps: int, eps: float | Tensor = 0.0
) -> Tensor:
    """Values in units of a level: ``K (x - low) / (high - low + eps)``.

    Written from the middle of the range, so that no motion lies in the middle of the levels exactly
    wherever the range is symmetric, and without a product that is added to, which some compilers
    round once and others twice. :func:`bdq_plugin.camera_form.level_of_zero` repeats it.
    """
    span, width = high - low + eps, high - low
    return steps * ((x - (low + high) / 2) / span + width / 2 / span)


def quantize(
    x: Tensor,
    thresholds_K: Tensor,
    low: float | Tensor,
    high: float | Tensor,
    hardness: float | Tensor = 5.0,
    hard: bool = False,
    eps: float = 0.0,
) -> Tensor:
    """Q: map ``x`` to K + 1 levels between ``low`` and ``high``.

    First to units of a level (:func:`to_levels`), then the soft or the hard staircase, then back to
    the units of ``x``. The hard form is straight-through: its value is the hard staircase, its
    gradient that of the soft one.

    Args:
        x: values to quantise, any shape, floating point.
        thresholds_K: shape (K,), in units of a level.
        low, high: the range, numbers or tensors that broadcast against ``x``.
        hardness: slope H of the sigmoids.
        hard: take the hard staircase.
        eps: added to the range and the least step, so that a constant clip divides by no zero.

    Returns:
        Tensor shaped like ``x``, from ``low`` to ``high``.

    Example:
        >>> x = torch.linspace(-1, 1, 5)
        >>> quantize(x, spread_thresholds(2), -1.0, 1.0, hard=True)
        tensor([-1., -1., -1.,  1.,  1.])
    """
    steps = thresholds_K.numel()
    low, high = torch.as_tensor(low).to(x), torch.as_tensor(high).to(x)
    u = to_levels(x, low, high, steps, eps)
    levels = soft_levels(u, thresholds_K.to(x), hardness)
    if hard:
        levels = hard_levels(u, thresholds_K) + (levels - levels.detach())
    step = (high - low) / steps
    if eps:
        step = step.clamp(min=eps)
    return low + levels * step


def randomized_response(levels: Tensor, flip: float, num_levels: int) -> Tensor:
    """Each level, with probability ``flip``, replaced by one of the others at random.

    What is drawn comes from torch's generator, so that training and audits can be repeated; a
    camera draws from the operating system. See :mod:`bdq_plugin.randomized_response`.

    Args:
        levels: whole numbers from 0 to ``num_levels - 1``, any shape and dtype.
        flip: probability, 0 to ``1 - 1 / num_levels``.

    Returns:
        Tensor shaped like ``levels`` and of its dtype.

    Example:
        >>> randomized_response(torch.zeros(1000), 0.25, 2).mean()
        tensor(0.25...)
    """
    return respond(levels, draw_words(levels), flip, num_levels).to(levels.dtype)


def draw_words(codes: Tensor) -> Tensor:
    """A word for each code, from torch's generator: int64 of the same shape, on its device."""
    return torch.randint(WORDS, codes.shape, device=codes.device)
