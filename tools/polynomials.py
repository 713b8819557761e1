"""Prints the constants of assembly/functions.ts: interpolation at Chebyshev nodes, near minimax.

Needs mpmath. Run: python tools/polynomials.py
"""

from mpmath import asin, atan, chebyfit, erf, erfc, exp, floor, ln, mp, mpf, pi, polyval, sqrt, tanh

mp.dps = 60


def fit(name, f, interval, degree, scale):
    """f on `interval` by a polynomial; `scale(z) * error(z)` is its effect on the result, relative to one ulp."""
    coefficients = chebyfit(f, interval, degree + 1)
    rounded = [mpf(float(c)) for c in coefficients]
    low, high = map(mpf, interval)
    grid = [low + (high - low) * k / 400 for k in range(401)]
    worst = max(abs(scale(z) * (polyval(rounded, z) - f(z))) for z in grid)
    print(f"// {name}, degree {degree}: error {float(worst):.1e}")
    for c in reversed(rounded):
        print(f"  {float(c)!r},")


def near(f, z):
    """f(z), with the limit at a removable singularity taken from beside it."""
    return f(z if z != 0 else mpf(10) ** -40)


# tanh x = x + x z T(z), z = x^2, |x| <= 0.55
fit("tanh", lambda z: near(lambda u: (tanh(sqrt(u)) / sqrt(u) - 1) / u, z), [0, 0.3025], 10, lambda z: z * 2**53)
# erf x = x + x E(z), |x| <= 1
fit("erf, |x| <= 1", lambda z: near(lambda u: erf(sqrt(u)) / sqrt(u) - 1, z), [0, 1], 13, lambda z: 2**53)
# erfc x = exp(-x^2) C(t), t = (x - 3) / (x + 3), 1 <= x <= 6
fit(
    "erfc, 1 <= x <= 6",
    lambda t: exp((3 * (1 + t) / (1 - t)) ** 2) * erfc(3 * (1 + t) / (1 - t)),
    [-0.5, mpf(1) / 3],
    15,
    lambda t: exp(-((3 * (1 + t) / (1 - t)) ** 2)) * 2**53,
)
# atan t = t + t z A(z), z = t^2, |t| <= 0.547
fit("atan", lambda z: near(lambda u: (atan(sqrt(u)) / sqrt(u) - 1) / u, z), [0, 0.3], 13, lambda z: z * 2**53)
# asin t = t + t y P(y), y = t^2, |t| <= 1/2
fit("asin", lambda z: near(lambda u: (asin(sqrt(u)) / sqrt(u) - 1) / u, z), [0, 0.25], 11, lambda z: z * 2**53)

# pi / 2 in parts of 33 bits, so that their products with integers below 2^20 are exact.
rest = pi / 2
for bits in (32, 65, 98):
    part = floor(rest * mpf(2) ** bits) / mpf(2) ** bits
    print(f"// pi / 2: {float(part)!r}")
    rest -= part
print(f"// pi / 2: {float(rest)!r}")
# ln 2 and pi / 4 in a part of 40 or 50 bits and the rest.
for name, value, bits in (("ln 2", ln(2), 40), ("pi / 4", pi / 4, 50)):
    part = floor(value * mpf(2) ** bits) / mpf(2) ** bits
    print(f"// {name}: {float(part)!r} {float(value - part)!r}")
