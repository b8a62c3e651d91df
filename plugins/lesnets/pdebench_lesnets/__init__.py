"""Operators trained on the residual of the equation: LESnets and PINO."""
