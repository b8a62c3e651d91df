"""Channel flow: direct and large-eddy simulation by Fourier and Chebyshev polynomials."""
